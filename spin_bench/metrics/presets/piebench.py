"""PIE-Bench, after `evaluation/` of cure-lab/PnPInversion.

Left out: the structure distance (DINO ViT-B/8), whose model no stack carries, and LPIPS of the unedited part.
"""

from functools import partial

import torch
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from spin_bench.metrics.batch import Batch
from spin_bench.metrics.preservation import decibels, mse, over_backgrounds, psnr, ssim
from spin_bench.metrics.presets.clip_score import by_clip_score, clip_score

_SOURCE = "cure-lab/PnPInversion, evaluation/matrics_calculator.py and evaluate.py"
_MASK = "masked and outermost pixels black in both, then the mean over all pixels"
_mse, _psnr, _ssim = (
    partial(record, preset="piebench", source=_SOURCE, mask=_MASK, claims=()) for record in (mse, psnr, ssim)
)


def edited(masks: Tensor) -> Tensor:
    """Add the picture's outermost pixels to masks (n, 1, H, W) or (1, H, W), as the benchmark reads them."""
    grown = masks.clone()
    grown[..., 0, :] = grown[..., -1, :] = 1
    grown[..., 0] = grown[..., -1] = 1
    return grown


def _unedited(keep: Tensor) -> Tensor:
    """1 outside `edited`; NaN everywhere where that leaves no pixel."""
    inside = 1 - edited(1 - keep)
    return inside.masked_fill(inside.sum((1, 2, 3), keepdim=True) == 0, torch.nan)


def _error(a: Tensor, b: Tensor, keep: Tensor) -> Tensor:
    """Both pictures blackened where edited, then the mean over all pixels."""
    unedited = _unedited(keep)
    return (unedited * (a - b)).square().mean((1, 2, 3))


def _similarity(a: Tensor, b: Tensor, keep: Tensor) -> Tensor:
    unedited = _unedited(keep)
    _, similarity = structural_similarity_index_measure(
        a * unedited, b * unedited, data_range=1.0, return_full_image=True
    )
    return similarity.mean((1, 2, 3))


@_mse(fault="shrinks as the mask grows: 1 - a times the error of the unmasked pixels, a the masked share")
def mse_bg(batch: Batch) -> Tensor:
    """Squared error of both pictures, black where edited, over all pixels."""
    return over_backgrounds(batch, _error)


@_psnr(
    mask=f"{_MASK}; infinity is written as 100 dB (ours)",
    fault="grows with the mask: 10 log10(1 / (1 - a)) dB too high, a the masked share",
)
def psnr_bg(batch: Batch) -> Tensor:
    """PSNR of that error."""
    return decibels(mse_bg(batch))


@_ssim(fault="grows with the mask: the black pixels are equal in both pictures and count as 1")
def ssim_bg(batch: Batch) -> Tensor:
    """SSIM of both pictures, black where edited, over all pixels."""
    return over_backgrounds(batch, _similarity)


@by_clip_score(
    preset="piebench",
    title="CLIP-T edit",
    compares="edited part with the prompt, 100 max(0, cosine)",
    mask="black outside the mask and the outermost pixels",
    source=f"{_SOURCE} (with CLIP ViT-L/14)",
    fault="the black surround is part of what CLIP sees, so the number depends on the mask's size and place",
)
def clip_t_edit(batch: Batch) -> Tensor:
    """CLIPScore of the painted picture, black outside the edited part, and the prompt."""
    masks = edited(batch.masks)
    return clip_score(batch, batch.stack.clip.encode_image((batch.images + 1) * masks - 1))
