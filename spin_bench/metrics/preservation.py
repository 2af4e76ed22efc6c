"""How much of the scene outside the mask is still there."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from spin_bench.metrics.batch import Batch
from spin_bench.metrics.faults import SCENE
from spin_bench.metrics.metric import by_lpips, metric

PSNR_CAP = 100.0  # dB; equal pixels have an infinite PSNR, and a mean over cases needs a number
PIXELS_TOGETHER = 2**18
WINDOW = 11  # px; SSIM's Gaussian window of sigma 1.5 (Wang et al. 2004) is cut off there

LEVELS = "8-bit RGB as floats in [0, 1]"
FULL_MASK = "where the mask leaves no pixel"

BACKGROUND = "painted picture with its background"

_on_levels = partial(metric, compares=BACKGROUND, resize="none", colour=LEVELS, missing=FULL_MASK, claims=SCENE)
mse = partial(_on_levels, title="MSE-BG", higher_is_better=False, range=(0, 1), digits=5)
psnr = partial(_on_levels, title="PSNR-BG", higher_is_better=True, range=(0, PSNR_CAP), unit="dB", digits=2)
ssim = partial(_on_levels, title="SSIM-BG", higher_is_better=True, range=(-1, 1))


def levels(images: Tensor) -> Tensor:
    """Map float pictures in [-1, 1] back to their exact 8-bit levels over 255, float64 in [0, 1]."""
    return ((images.double() + 1) * 127.5).round() / 255


def over_backgrounds(batch: Batch, measure: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Tensor:
    """Apply `measure(painted, background, keep)` to every picture of a batch: (n,) float64.

    It gets float64 levels (m, 3, H, W) in [0, 1], and `keep` (m, 1, H, W), 1 outside the mask, returning (m,). As many
    pictures at a time as have PIXELS_TOGETHER, so that memory does not grow with the batch.
    """
    size = max(1, PIXELS_TOGETHER // batch.masks[0].numel())
    rows = zip(*(pictures.split(size) for pictures in (batch.images, batch.backgrounds, batch.masks)), strict=True)
    return torch.cat([measure(levels(a), levels(b), 1 - mask.double()) for a, b, mask in rows])


def mean_squared_error(a: Tensor, b: Tensor, keep: Tensor) -> Tensor:
    """Average (a - b)^2 over kept pixels and channels of pictures (m, C, H, W): (m,); NaN if none is kept."""
    return (keep * (a - b).square()).sum((1, 2, 3)) / (keep.sum((1, 2, 3)) * a.shape[1])


def decibels(error: Tensor, cap: float = PSNR_CAP) -> Tensor:
    """Turn a mean squared error on [0, 1] into PSNR in dB, at most `cap`; NaN stays NaN."""
    return (-10 * error.log10()).clamp(max=cap)


def ssim_outside(a: Tensor, b: Tensor, keep: Tensor) -> Tensor:
    """Average SSIM over the windows that lie wholly inside a picture and on kept pixels: (m,); NaN if none does."""
    _, similarity = structural_similarity_index_measure(a, b, data_range=1.0, return_full_image=True)
    reach = WINDOW // 2
    inner = similarity[..., reach:-reach, reach:-reach].mean(1)
    whole = -F.max_pool2d(-keep, WINDOW, stride=1)[:, 0]
    return (inner * whole).sum((1, 2)) / whole.sum((1, 2))


@mse(mask="squared error averaged over unmasked pixels and channels")
def mse_bg(batch: Batch) -> Tensor:
    """Mean squared error of painted picture and background, over unmasked pixels and channels."""
    return over_backgrounds(batch, mean_squared_error)


@psnr(mask="squared error averaged over unmasked pixels and channels; equal pixels count as 100 dB")
def psnr_bg(batch: Batch) -> Tensor:
    """Peak signal-to-noise ratio in dB of the same error; equal pixels count as PSNR_CAP."""
    return decibels(mse_bg(batch))


@ssim(
    mask="mean over 11 px windows (Gaussian, sigma 1.5) wholly inside the picture and outside the mask",
    missing="where no such window fits",
    source="Wang et al. 2004, by torchmetrics",
)
def ssim_bg(batch: Batch) -> Tensor:
    """Structural similarity (Wang et al. 2004) of the windows that the mask does not touch."""
    return over_backgrounds(batch, ssim_outside)


@by_lpips(
    title="LPIPS-BG",
    compares=BACKGROUND,
    resize="none",
    mask="masked pixels mid-grey in both",
    missing=FULL_MASK,
    claims=SCENE,
)
def lpips_bg(batch: Batch) -> Tensor:
    """`perceptual_where` the mask is not."""
    return perceptual_where(batch, 1 - batch.masks)


def perceptual_where(batch: Batch, keep: Tensor) -> Tensor:
    """Perceptual distance of painted picture and background, mid-grey in both where `keep` (n, 1, H, W) is 0: (n,)."""
    return or_nan(batch.stack.perceptual(batch.images * keep, batch.backgrounds * keep).cpu(), keep)


def or_nan(values: Tensor, weights: Tensor) -> Tensor:
    """Replace those of `values` (n,) by NaN whose `weights` (n, 1, H, W) are all 0."""
    return values.masked_fill(weights.flatten(1).sum(1) == 0, torch.nan)
