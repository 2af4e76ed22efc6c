"""BrushBench, after `examples/brushnet/evaluate_brushnet.py` of TencentARC/BrushNet.

Left out: ImageReward, HPS v2.1 and the LAION aesthetic score, whose models no stack carries, and LPIPS outside the
mask, which on one network is the number of `lpips_bg@tficon`.
"""

from functools import partial

import torch
from torch import Tensor

from spin_bench.metrics.batch import Batch
from spin_bench.metrics.preservation import decibels, mse, over_backgrounds, psnr
from spin_bench.metrics.presets.clip_score import by_clip_score, clip_score

EQUAL = 1e-10  # a smaller error counts as none
EQUAL_PSNR = 1000.0  # dB, what none is given

_SOURCE = "TencentARC/BrushNet, examples/brushnet/evaluate_brushnet.py"
_MASK = "squared error summed over three channels, divided by the sum of a one-channel mask"
_mse, _psnr = (partial(record, preset="brushnet", source=_SOURCE, mask=_MASK, claims=()) for record in (mse, psnr))


@_mse(
    range=(0, 3),
    fault="three times too large: the channels are not counted in the divisor",
)
def mse_bg(batch: Batch) -> Tensor:
    """Squared error summed over three channels, divided by the pixels of one."""
    return over_backgrounds(batch, lambda a, b, keep: (keep * (a - b).square()).sum((1, 2, 3)) / keep.sum((1, 2, 3)))


@_psnr(
    range=(-4.771213, EQUAL_PSNR),
    fault="4.77 dB too low, its error being three times too large; an untouched background counts as 1000 dB",
)
def psnr_bg(batch: Batch) -> Tensor:
    """PSNR of that error; 1000 dB where it is below 1e-10."""
    error = mse_bg(batch)
    return torch.where(error < EQUAL, torch.full_like(error, EQUAL_PSNR), decibels(error, cap=EQUAL_PSNR))


@by_clip_score(
    preset="brushnet",
    title="CLIP-T",
    compares="whole painted picture with the prompt, 100 max(0, cosine)",
    source=f"{_SOURCE} (with CLIP ViT-L/14)",
)
def clip_t(batch: Batch) -> Tensor:
    """CLIPScore of the whole painted picture and the prompt."""
    return clip_score(batch, batch.clip_images)
