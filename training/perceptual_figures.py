"""Does the perceptual distance grow with the damage? Five strengths of five kinds, on scenes never trained on."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms.v2.functional import gaussian_blur

from spin_bench.models.stack import Stack

STRENGTHS = (1, 2, 3, 4, 5)


def _blur(images: Tensor, strength: int) -> Tensor:
    return gaussian_blur(images, [4 * strength + 1] * 2, [0.5 * strength] * 2)


def _noise(images: Tensor, strength: int) -> Tensor:
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    return (images + 0.08 * strength * noise).clamp(-1, 1)


def _shift(images: Tensor, strength: int) -> Tensor:
    """To the right, the left border repeated."""
    return F.pad(images, (strength, 0, 0, 0), mode="replicate")[..., :-strength]


def _colour_cast(images: Tensor, strength: int) -> Tensor:
    cast = torch.tensor([0.08, 0.0, -0.08]).view(1, 3, 1, 1)
    return (images + strength * cast).clamp(-1, 1)


def _occlusion(images: Tensor, strength: int) -> Tensor:
    """A grey square in the middle, growing by a fourteenth of the side."""
    side = images.shape[-1]
    half = strength * side // 14
    covered = images.clone()
    covered[..., side // 2 - half : side // 2 + half, side // 2 - half : side // 2 + half] = 0
    return covered


DAMAGES: dict[str, Callable[[Tensor, int], Tensor]] = {
    "blur": _blur,
    "noise": _noise,
    "shift": _shift,
    "colour_cast": _colour_cast,
    "occlusion": _occlusion,
}


def perceptual_figures(stack: Stack, images: Tensor) -> dict[str, float]:
    """For each kind, the share of neighbouring strengths, over all pictures, that are ranked right.

    `images` (N, 3, H, W) in [-1, 1]. `perceptual_mean_rises` is 1 where the mean rises at every strength of every kind.
    """
    figures, rises = {}, True
    for name, damage in DAMAGES.items():
        distances = torch.stack([stack.perceptual(images, damage(images, strength)) for strength in STRENGTHS])
        figures[f"perceptual_{name}"] = float((distances.diff(dim=0) > 0).float().mean())
        rises &= bool((distances.mean(1).diff() > 0).all())
    return {**figures, "perceptual_mean_rises": float(rises)}
