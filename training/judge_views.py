"""Views of one subject that a fair judge calls the same: damaged, pasted elsewhere, tinted by what is around it."""

import torch
import torch.nn.functional as F
from torch import Tensor


def _per_row(n: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    return (low + (high - low) * torch.rand(n, generator=generator))[:, None, None, None]


def _feathered(masks: Tensor, radius: int) -> Tensor:
    """(N, H, W) bool to soft covers (N, 1, H, W), blurred by a box of `radius`."""
    cover = masks[:, None].float()
    return F.avg_pool2d(cover, 2 * radius + 1, 1, radius, count_include_pad=False)


def pasted_elsewhere(images: Tensor, masks: Tensor, places: Tensor, generator: torch.Generator) -> Tensor:
    """The subjects (N, H, W bool) of (N, 3, H, W) pictures over `places`, edges feathered, tinted as Poisson does."""
    cover = _feathered(masks, 1 if torch.rand((), generator=generator) < 0.5 else 2)
    inside = cover.clamp(min=1e-6)
    own_ground = (images * (1 - cover)).sum((2, 3), keepdim=True) / (1 - cover).sum((2, 3), keepdim=True).clamp(min=1)
    new_ground = places.mean((2, 3), keepdim=True)
    tint = (new_ground - own_ground) * _per_row(len(images), 0.0, 0.35, generator)
    return torch.where(inside > 1e-6, (images + tint) * cover + places * (1 - cover), places).clamp(-1, 1)


def _blurred(images: Tensor) -> Tensor:
    return F.avg_pool2d(images, 3, 1, 1, count_include_pad=False)


def damaged(images: Tensor, generator: torch.Generator) -> Tensor:
    """Colour shift, blur and noise, each on some rows and never enough to make another colour or pattern of it."""
    n = len(images)
    gain = 1 + 0.12 * torch.randn(n, 3, 1, 1, generator=generator)
    offset = 0.08 * torch.randn(n, 3, 1, 1, generator=generator)
    shifted = torch.rand(n, generator=generator)[:, None, None, None] < 0.7
    out = torch.where(shifted, images * gain + offset, images)
    blurry = torch.rand(n, generator=generator)[:, None, None, None] < 0.3
    out = torch.where(blurry, _blurred(out), out)
    noise = torch.randn(images.shape, generator=generator) * _per_row(n, 0.0, 0.15, generator)
    noisy = torch.rand(n, generator=generator)[:, None, None, None] < 0.4
    return torch.where(noisy, out + noise, out).clamp(-1, 1)
