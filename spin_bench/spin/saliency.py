"""Which part of the reference counts: a saliency map at latent resolution."""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch import Tensor

from spin_bench.core.case import Case
from spin_bench.core.errors import UserError
from spin_bench.diffusion.latents import mask_to_tensor, to_tensor
from spin_bench.models.stack import Stack
from spin_bench.spin.rembg_saliency import rembg_map
from spin_bench.spin.settings import EmbeddingSettings

GREY = (127, 127, 127)
THRESHOLD = 0.5  # pixels, then cells, above it are salient


def square(picture: Image.Image, side: int, fill: tuple[int, int, int] | int) -> Image.Image:
    """Fit a whole picture into a square of `side` px and fill the rest."""
    return ImageOps.pad(picture, (side, side), method=Image.Resampling.LANCZOS, color=fill)


def reference_image(case: Case, stack: Stack) -> Tensor:
    """Put the whole reference photo on a grey square of canvas size: (1, 3, H, W) in [-1, 1]."""
    return to_tensor(square(case.reference, stack.canvas, GREY)).to(stack.device, stack.dtype)


def _learned(case: Case, stack: Stack, settings: EmbeddingSettings) -> Tensor:
    if stack.saliency is None:
        raise UserError(f"stack {stack.name!r} has no saliency network: set saliency=rembg, reference_mask or none")
    with torch.no_grad():
        return stack.saliency(reference_image(case, stack)).sigmoid().float()


def _rembg(case: Case, stack: Stack, settings: EmbeddingSettings) -> Tensor:
    saliency = square(rembg_map(case.reference, settings.rembg_model), stack.canvas, 0)
    return torch.from_numpy(np.array(saliency, dtype=np.float32))[None, None].to(stack.device) / 255


def _reference_mask(case: Case, stack: Stack, settings: EmbeddingSettings) -> Tensor:
    if case.reference_mask is None:
        raise UserError(f"case {case.id}: no reference mask: set saliency=learned, rembg or none")
    return mask_to_tensor(square(case.reference_mask, stack.canvas, 0)).to(stack.device)


def _none(case: Case, stack: Stack, settings: EmbeddingSettings) -> Tensor:
    return torch.ones(1, 1, stack.canvas, stack.canvas, device=stack.device)


# (case, stack, settings) to a map (1, 1, H, W) in [0, 1] of the square reference
SALIENCY: dict[str, Callable[[Case, Stack, EmbeddingSettings], Tensor]] = {
    "learned": _learned,
    "rembg": _rembg,
    "reference_mask": _reference_mask,
    "none": _none,
}


def saliency_map(case: Case, stack: Stack, settings: EmbeddingSettings) -> Tensor:
    """Find the salient part of the reference: (1, 1, h, w) float32, in {0, 1}, or in [0, 1] if soft.

    Raises `UserError` if the case or the stack lacks what `settings.saliency` needs.
    """
    saliency = SALIENCY[settings.saliency](case, stack, settings)
    if not settings.soft_saliency:
        saliency = (saliency > THRESHOLD).float()
    cells = F.adaptive_avg_pool2d(saliency, stack.latent_side)
    if not settings.soft_saliency:
        cells = (cells > THRESHOLD).float()
    if settings.dilation:
        cells = F.max_pool2d(cells, 2 * settings.dilation + 1, stride=1, padding=settings.dilation)
    return cells


def splits(cells: Tensor) -> bool:
    """Tell whether a map (1, 1, h, w) has a salient part, of one cell or more, and another part."""
    return bool(cells.sum() >= 1) and bool(cells.min() < 1)


def usable(cells: Tensor) -> Tensor:
    """Return `cells`, or all ones if they do not split the reference: then the whole of it counts."""
    return cells if splits(cells) else torch.ones_like(cells)
