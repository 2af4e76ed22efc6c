"""Random views of a picture for CLIP guidance, differentiable, drawn from the picture's own generator.

Blended Diffusion's augmentations with the arithmetic of kornia, which the authors call: RandomAffine(15 degrees,
translate 0.1, border padding), then RandomPerspective(0.7), each with probability 0.7. The first view is left clean.
kornia resamples a view once per transform; ours can apply both in one look-up, in less than half the time.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

PROBABILITY = 0.7  # of each of the two, view by view
DEGREES = 15.0
# Quirk: kornia reads the published translate=0.1 as (0, 0.1), the first for x and the second for y, so pictures move
# up and down only.
SHIFT = (0.0, 0.1)  # of the side, either way
DISTORTION = 0.7  # of half the side: how far a corner may move inwards

_SQUARE = ((-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0))  # corners in the coordinates of grid_sample
_DRAWS = 13  # uniform numbers per view: 2 choices, 1 angle, 2 shifts, 4 corners of 2


def augmented(
    images: Tensor, generators: Sequence[torch.Generator], *, copies: int, side: int, resample_once: bool = False
) -> Tensor:
    """Make `copies` views of each of N pictures (N, C, h, w), the first one clean: (copies, N, C, side, side).

    Picture k draws from generator k alone. `resample_once` applies both transforms in one look-up.
    """
    images = _pooled(images, side)
    if copies == 1:
        return images[None]
    drawn = [torch.rand(copies - 1, _DRAWS, generator=generator) for generator in generators]
    numbers = torch.stack(drawn, 1).flatten(0, 1).to(images.device)  # ((copies - 1) N, draws), image by image
    turned, bent = numbers[:, 0] < PROBABILITY, numbers[:, 1] < PROBABILITY
    turns, bends = affine(numbers[:, 2:5]), perspective(numbers[:, 5:].view(-1, 4, 2))
    if resample_once:
        views = warp_once(images, _where(turned, turns), _where(bent, bends))
    else:
        views = images.repeat(copies - 1, 1, 1, 1)
        views = warp(views, turned, turns, padding="border")
        views = warp(views, bent, bends, padding="zeros").unflatten(0, (copies - 1, -1))
    # channels-last, which the CPU's convolutions read faster
    return torch.cat([images[None].movedim(2, -1), views.movedim(2, -1)]).movedim(-1, 2)


def affine(numbers: Tensor) -> Tensor:
    """Make matrices (N, 3, 3), from places of a view to the picture's, of an angle and two shifts in [0, 1), (N, 3)."""
    angle, x, y = (2 * numbers - 1).unbind(1)
    angle = angle * math.radians(DEGREES)
    x, y = 2 * SHIFT[0] * x, 2 * SHIFT[1] * y  # the side is 2 in these coordinates
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    rows = [cos, sin, -cos * x - sin * y, -sin, cos, sin * x - cos * y, zero, zero, zero + 1]
    return torch.stack(rows, 1).view(-1, 3, 3)


def perspective(numbers: Tensor) -> Tensor:
    """Make matrices like those of `affine` of how far each corner moves inwards, (N, 4, 2) in [0, 1)."""
    square = numbers.new_tensor(_SQUARE)
    back = _projective_basis(square * (1 - DISTORTION * numbers))
    towards, adjugate = _projective_basis(square[None]), _crossed(back.mT)
    return towards @ adjugate  # the inverse up to a factor, which homogeneous coordinates do not feel


def warp(images: Tensor, mask: Tensor, matrices: Tensor, *, padding: str) -> Tensor:
    """Move those of `images` (N, C, side, side) where `mask` (N,) is true by their matrices (N, 3, 3), bilinear."""
    moved_x, moved_y, scale = _moved(matrices[mask], images.shape[-1])
    # A point at infinity lies outside the picture, wherever it is.
    grid = (torch.stack([moved_x, moved_y], -1) / scale[..., None]).nan_to_num(3.0).clamp(-3, 3)
    views = images.clone()
    views[mask] = F.grid_sample(images[mask], grid, padding_mode=padding, align_corners=False)
    return views


def warp_once(images: Tensor, turns: Tensor, bends: Tensor) -> Tensor:
    """Turn and then bend `images` (N, C, side, side) in one bilinear look-up: (V, N, C, side, side).

    `turns` and `bends` are (V N, 3, 3), V views of all images one after the other. As with two `warp`s, the border
    continues a turned picture and grey a bent one; the picture is softened once instead of twice.
    """
    count, side = len(images), images.shape[-1]
    # All views of an image are one tall grid, so that no picture is copied.
    turns, bends = (m.unflatten(0, (-1, count)).transpose(0, 1).flatten(0, 1) for m in (turns, bends))
    bent_x, bent_y, scale = _moved(bends, side)
    within = torch.maximum(bent_x.abs_(), bent_y.abs_()) <= scale.abs()
    edge = 1 - 1 / side
    moved = _moved((turns @ bends)[:, :2], side)
    outside = ~within
    places = [place.div_(scale).clamp_(-edge, edge).masked_fill_(outside, 3.0) for place in moved]  # 3: grey
    grid = torch.stack(places, -1)
    views = F.grid_sample(images, grid.view(count, -1, side, 2), padding_mode="zeros", align_corners=False)
    return views.unflatten(2, (-1, side)).permute(2, 0, 1, 3, 4)


def _pooled(images: Tensor, side: int) -> Tensor:
    """Adaptive average pooling of square pictures to (N, C, side, side)."""
    if side % images.shape[-1] == 0:  # nothing is averaged, and repeating pixels is faster
        return F.interpolate(images, size=side)
    return F.adaptive_avg_pool2d(images, side)


def _moved(matrices: Tensor, side: int) -> tuple[Tensor, ...]:
    """Multiply each row of `matrices` (N, rows, 3) with (x, y, 1) of every pixel of a view: (N, side, side) per row.

    Written out: a matrix product is slower, and its rounding depends on N.
    """
    centres = (2 * torch.arange(side, device=matrices.device) + 1) / side - 1
    along = matrices[..., :1] * centres
    down = matrices[..., 1:2] * centres + matrices[..., 2:]
    return tuple(y[..., None] + x[:, None] for x, y in zip(along.unbind(1), down.unbind(1), strict=True))


def _where(mask: Tensor, matrices: Tensor) -> Tensor:
    """Return `matrices` (N, 3, 3) where `mask` (N,) is true, the identity elsewhere."""
    return matrices.where(mask[:, None, None], torch.eye(3, device=matrices.device))


def _projective_basis(corners: Tensor) -> Tensor:
    """(N, 3, 3): columns are three of four `corners` (N, 4, 2), scaled so that their sum is the fourth."""
    corners = F.pad(corners, (0, 1), value=1.0)
    three, fourth = corners.split([3, 1], 1)
    return three.mT * (_crossed(three) * fourth).sum(2)[:, None]


def _crossed(rows: Tensor) -> Tensor:
    """Cross products of three `rows` (N, 3, 3): of the last two, of the third and the first, of the first two."""
    return rows.roll(-1, 1).cross(rows.roll(-2, 1), -1)
