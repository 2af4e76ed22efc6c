"""Set-level distances against torchmetrics, numpy loops and closed forms."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from spin_bench.core.errors import UserError
from spin_bench.metrics.set_level import (
    CMMD_BANDWIDTH,
    CMMD_SCALE,
    clip_mmd,
    frechet,
    kid,
    kid_of_unit,
    over_subsets,
)
from spin_bench.metrics.sets import FID_IMAGES, check_sizes, known_distances

DISTANCES = (kid, clip_mmd)


def _set(n: int, *, width: int = 16, shift: float = 0.0, seed: int = 0) -> Tensor:
    """Unit-length rows, like CLIP's."""
    rows = torch.randn(n, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    rows[:, 0] += shift
    return torch.nn.functional.normalize(rows, dim=1)


def _loops(a: np.ndarray, b: np.ndarray, kernel) -> float:
    """Unbiased squared MMD, one pair at a time (Gretton et al. 2012, equation 3)."""

    def within(rows: np.ndarray) -> float:
        pairs = [(i, j) for i in range(len(rows)) for j in range(len(rows)) if i != j]
        return float(np.mean([kernel(rows[i], rows[j]) for i, j in pairs]))

    return within(a) + within(b) - 2 * float(np.mean([kernel(x, y) for x in a for y in b]))


def _cubic(x: np.ndarray, y: np.ndarray) -> float:
    return float((x @ y / len(x) + 1) ** 3)


def _gaussian(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.exp(-((x - y) ** 2).sum() / (2 * CMMD_BANDWIDTH**2)))


def test_kid_of_unit_features_is_the_cubic_kernel_of_cosines():
    a, b = (torch.nn.functional.normalize(_set(6, seed=seed), dim=1) for seed in (1, 2))
    expected = _loops(a.numpy(), b.numpy(), lambda u, v: (u @ v + 1) ** 3)
    assert kid_of_unit(a, b).item() == pytest.approx(expected, rel=1e-6)
    assert kid_of_unit(a, b) > 10 * kid(a, b).abs()


def test_distances_are_their_definitions():
    a, b = _set(9), _set(9, shift=1.0, seed=1)
    x, y = a.numpy(), b.numpy()
    assert kid(a, b).item() == pytest.approx(_loops(x, y, _cubic), rel=1e-9)
    assert clip_mmd(a, b).item() == pytest.approx(CMMD_SCALE * _loops(x, y, _gaussian), rel=1e-6)


def test_clip_mmd_of_two_points_in_closed_form():
    distance = 3.0
    a = torch.zeros(4, 2)
    b = torch.tensor([[distance, 0.0]]).expand(4, 2)
    expected = CMMD_SCALE * (2 - 2 * np.exp(-(distance**2) / (2 * CMMD_BANDWIDTH**2)))
    assert clip_mmd(a, b).item() == pytest.approx(expected, rel=1e-12)  # no spread within a set, so no bias


def test_the_unbiased_forms_are_zero_on_average_between_sets_of_one_distribution():
    for distance, scale in ((kid, 1.0), (clip_mmd, CMMD_SCALE)):
        values = torch.stack([distance(_set(24, seed=2 * i), _set(24, seed=2 * i + 1)) for i in range(200)]) / scale
        error = values.std().item() / len(values) ** 0.5
        assert abs(values.mean().item()) < 4 * error
        assert distance(_set(24), _set(24, shift=2.0, seed=1)).item() / scale > 5 * values.std().item()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000))
def test_order_and_side_do_not_matter(seed: int):
    a, b = _set(12, seed=seed), _set(12, shift=0.5, seed=seed + 1)
    shuffled = a[torch.randperm(12, generator=torch.Generator().manual_seed(seed))]
    for distance in DISTANCES:
        value = distance(a, b).item()
        assert distance(b, a).item() == pytest.approx(value, abs=1e-9)
        assert distance(shuffled, b).item() == pytest.approx(value, abs=1e-9)
        assert distance(a.float(), b.float()).item() == pytest.approx(value, abs=1e-4 if distance is not kid else 1e-6)


def test_equal_sets_are_at_no_distance():
    a = _set(12)
    assert kid(a, a).item() <= 0  # the unbiased form leaves the diagonal out, and so falls below zero
    assert clip_mmd(a, a).item() <= 0


def test_subsets_enclose_the_whole_and_repeat():
    a, b = _set(120), _set(90, shift=1.0, seed=1)
    score = over_subsets(a, b, kid)
    assert score.size == 45
    assert score.lo < score.mean < score.hi
    whole = _loops(a.numpy(), b.numpy(), _cubic)
    assert score.mean == pytest.approx(whole, abs=(score.hi - score.lo) / 10)  # unbiased; about 4 standard errors
    assert over_subsets(a, b, kid) == score
    assert over_subsets(a, b, kid, seed=1) != score
    small, large = (over_subsets(a, b, kid, size=size) for size in (20, 80))
    assert large.hi - large.lo < (small.hi - small.lo) / 2


def test_a_subset_of_everything_has_one_value():
    a, b = _set(10), _set(10, seed=1)
    score = over_subsets(a, b, kid, size=10, subsets=5)
    assert score.lo == pytest.approx(score.hi, rel=1e-9) and score.mean == pytest.approx(kid(a, b).item(), rel=1e-9)


def test_frechet_is_its_formula_where_covariances_commute():
    """Two point pairs along one axis each: variances 2 and 8 there, 0 elsewhere, means 3 apart across."""
    a = torch.tensor([[-1.0, 0.0], [1.0, 0.0]])
    b = torch.tensor([[-2.0, 3.0], [2.0, 3.0]])
    assert frechet(a, b).item() == pytest.approx(3**2 + (2**0.5 - 8**0.5) ** 2, abs=1e-5)


def test_fid_is_refused_below_its_size():
    check_sizes(["fid"], FID_IMAGES)
    check_sizes(["kid", "clip_mmd"], 4)
    with pytest.raises(UserError, match="at least 2,048 images a set, here are 332"):
        check_sizes(["kid", "fid"], 332)
    with pytest.raises(UserError, match="unknown set-level metric 'kdi': did you mean 'kid'"):
        known_distances(["kdi"])
    with pytest.raises(UserError, match=r"at least 2,048 images a set, here are 2,047: use kid"):
        check_sizes(["fid"], FID_IMAGES - 1)


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (_set(4), _set(5), "sets of 4 and 5"),
        (_set(4), _set(4, width=8), "widths 16 and 8"),
        (_set(4), torch.full((4, 16), torch.nan), "finite rows"),
        (_set(4), torch.zeros(16), "finite rows"),
    ],
)
def test_sets_that_cannot_be_compared(a: Tensor, b: Tensor, message: str):
    for distance in DISTANCES:
        with pytest.raises(UserError, match=message):
            distance(a, b)


def test_subsets_that_cannot_be_drawn():
    with pytest.raises(UserError, match="subsets of 1 from sets of 3 and 3 pictures: take 2 to 3"):
        over_subsets(_set(3), _set(3, seed=1), kid)
