"""Preservation against loops over bytes, torchmetrics and scikit-image."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from metric_values import noisy, values_of
from skimage.metrics import structural_similarity
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio

from spin_bench.core.case import Case
from spin_bench.metrics.preservation import decibels, levels, mean_squared_error, ssim_outside
from spin_bench.models.stack import Stack

REACH = 5  # px on each side of an SSIM window's centre


def _scene(seed: int, side: int = 24) -> tuple[Tensor, Tensor, Tensor]:
    """Two noise pictures (1, 3, side, side) of 8-bit levels over 255, and a mask of a random box's outside."""
    random = np.random.default_rng(seed)
    a, b = (torch.from_numpy(random.integers(0, 256, (3, side, side))).double() / 255 for _ in range(2))
    keep = torch.ones(1, side, side).double()
    top, left = random.integers(0, side // 2, 2)
    height, width = random.integers(1, 6, 2)
    keep[:, top : top + height, left : left + width] = 0
    return a[None], b[None], keep[None]


def test_psnr_is_the_loop_over_unmasked_bytes(stack: Stack, cases: list[Case]):
    pictures = [noisy(case.truth, seed) for seed, case in enumerate(cases)]
    found = values_of("psnr_bg", cases, pictures, stack)
    errors = values_of("mse_bg", cases, pictures, stack)
    for case, picture, psnr, error in zip(cases, pictures, found.tolist(), errors.tolist(), strict=True):
        a, b, mask = (np.array(image).astype(int) for image in (picture, case.background, case.mask))
        squares = [
            (a[y, x, c] - b[y, x, c]) ** 2 for y in range(64) for x in range(64) if mask[y, x] <= 127 for c in range(3)
        ]
        assert error == pytest.approx(np.mean(squares) / 255**2, rel=1e-12)
        assert psnr == pytest.approx(10 * np.log10(255**2 / np.mean(squares)), rel=1e-12)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_without_a_mask_psnr_and_ssim_are_the_libraries(seed: int):
    a, b, keep = _scene(seed)
    keep.fill_(1)
    psnr = decibels(mean_squared_error(a, b, keep))
    torch.testing.assert_close(
        psnr[0], peak_signal_noise_ratio(a, b, data_range=1.0), atol=1e-5, rtol=0, check_dtype=False
    )
    pixels = [picture[0].permute(1, 2, 0).numpy() for picture in (a, b)]
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    assert ssim_outside(a, b, keep).item() == pytest.approx(
        structural_similarity(*pixels, channel_axis=2, **options), abs=1e-9
    )


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_ssim_averages_the_windows_that_the_mask_leaves_whole(seed: int):
    a, b, keep = _scene(seed, side=32)
    pixels = [picture[0].permute(1, 2, 0).numpy() for picture in (a, b)]
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    _, similarity = structural_similarity(*pixels, channel_axis=2, full=True, **options)
    whole = [
        similarity[y, x].mean()
        for y in range(REACH, 32 - REACH)
        for x in range(REACH, 32 - REACH)
        if keep[0, 0, y - REACH : y + REACH + 1, x - REACH : x + REACH + 1].all()
    ]
    assert ssim_outside(a, b, keep).item() == pytest.approx(np.mean(whole), abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_preservation_does_not_see_the_mask_and_mirrors(seed: int):
    a, b, keep = _scene(seed)
    scribbled = torch.where(keep == 1, a, torch.rand_like(a))
    flipped = [picture.flip(-1) for picture in (a, b, keep)]
    for measure in (mean_squared_error, ssim_outside):
        value = measure(a, b, keep)
        for other in ((scribbled, b, keep), flipped, (b, a, keep)):
            # a mask that leaves no whole window has no SSIM, either way
            torch.testing.assert_close(measure(*other), value, atol=1e-12, rtol=0, equal_nan=True)
    order = torch.randperm(24 * 24, generator=torch.Generator().manual_seed(seed))
    shuffled = [picture.flatten(2)[..., order].view_as(picture) for picture in (a, b, keep)]
    torch.testing.assert_close(mean_squared_error(*shuffled), mean_squared_error(a, b, keep), atol=1e-12, rtol=0)


def test_bytes_survive_the_way_through_floats():
    every = torch.arange(256, dtype=torch.float32) / 127.5 - 1
    assert torch.equal(levels(every), torch.arange(256).double() / 255)
