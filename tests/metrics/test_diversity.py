"""Diversity of a case's images."""

import numpy as np
import pytest
import torch
from metric_values import noisy
from torch import Tensor

from spin_bench.core.case import Case
from spin_bench.metrics.batch import Batch
from spin_bench.metrics.diversity import diversity_crop, mean_pairwise_distance
from spin_bench.models.stack import Stack


def test_diversity_is_the_mean_over_pairs(stack: Stack, cases: list[Case]):
    pictures = [noisy(cases[0].truth, seed, sigma=40) for seed in range(4)]
    batch = Batch([cases[0]] * 4, pictures, stack)
    with torch.no_grad():
        pairs = [
            stack.perceptual(batch.crops[i : i + 1], batch.crops[j : j + 1]).item()
            for i in range(4)
            for j in range(4)
            if i != j
        ]
        assert diversity_crop(batch) == pytest.approx(np.mean(pairs), rel=1e-5)
        assert np.mean(pairs) > 0.01
        same = Batch([cases[0]] * 3, pictures[:1] * 3, stack)
        assert diversity_crop(same) == pytest.approx(0, abs=1e-9)
        assert np.isnan(diversity_crop(Batch(cases[:1], pictures[:1], stack)))
        backwards = Batch([cases[0]] * 4, pictures[::-1], stack)
        assert diversity_crop(backwards) == pytest.approx(diversity_crop(batch), rel=1e-5)


def test_diversity_of_points_on_a_line():
    class Gap:
        name = "gap"

        def __call__(self, a: Tensor, b: Tensor) -> Tensor:
            return (a - b).abs().flatten(1).mean(1)

    line = torch.arange(32.0).view(32, 1, 1, 1).expand(32, 3, 2, 2)
    assert mean_pairwise_distance(line, Gap()) == pytest.approx(
        33 / 3
    )  # mean gap of 0..k-1 is (k + 1) / 3; 496 pairs: many chunks


def test_diversity_wants_one_case(stack: Stack, cases: list[Case]):
    with pytest.raises(ValueError, match="one case"):
        diversity_crop(Batch(cases[:2], [case.truth for case in cases[:2]], stack))
