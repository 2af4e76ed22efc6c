"""Which part of the reference counts: the first half of "independent information"."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch import Tensor

from spin_bench.case import Case
from spin_bench.diffusion.latents import mask_to_tensor, to_tensor
from spin_bench.errors import UserError, unknown
from spin_bench.stack import Stack

GREY = (127, 127, 127)


def square(picture: Image.Image, side: int, fill: tuple[int, int, int] | int) -> Image.Image:
    """Fit a picture whole into a square of `side` px, the rest filled."""
    return ImageOps.pad(picture, (side, side), method=Image.Resampling.LANCZOS, color=fill)


def reference_image(case: Case, stack: Stack) -> Tensor:
    """The whole reference photo on a grey square of canvas size; (1, 3, H, W) in [-1, 1]."""
    return to_tensor(square(case.reference, stack.canvas, GREY)).to(stack.device, stack.dtype)


def _learned(case: Case, stack: Stack) -> Tensor:
    if stack.saliency is None:
        raise UserError(f"stack {stack.name!r} has no saliency network: set saliency=reference_mask or none")
    with torch.no_grad():
        return stack.saliency(reference_image(case, stack)).sigmoid().float()


def _reference_mask(case: Case, stack: Stack) -> Tensor:
    if case.reference_mask is None:
        raise UserError(f"case {case.id}: no reference mask: set saliency=learned or none")
    return mask_to_tensor(square(case.reference_mask, stack.canvas, 0)).to(stack.device)


def _none(case: Case, stack: Stack) -> Tensor:
    return torch.ones(1, 1, stack.canvas, stack.canvas, device=stack.device)


SALIENCY: dict[str, Callable[[Case, Stack], Tensor]] = {
    "learned": _learned,
    "reference_mask": _reference_mask,
    "none": _none,
}


def saliency_map(case: Case, stack: Stack, *, backend: str, soft: bool) -> Tensor:
    """Saliency of the reference at latent resolution; (1, 1, h, w) float32 in [0, 1], thresholded at 0.5 unless `soft`.

    A map without any salient cell, or without any other, cannot split the reference: it becomes all ones.
    """
    if backend not in SALIENCY:
        raise unknown("saliency backend", backend, list(SALIENCY))
    saliency = SALIENCY[backend](case, stack)
    if not soft:
        saliency = (saliency > 0.5).float()
    cells = F.adaptive_avg_pool2d(saliency, stack.latent_side)
    if not soft:
        cells = (cells > 0.5).float()
    return cells if cells.sum() >= 1 else torch.ones_like(cells)
