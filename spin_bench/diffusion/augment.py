"""What CLIP guidance looks at: random views of a picture, differentiable, drawn from the picture's own generator.

Blended Diffusion's augmentations with the arithmetic of kornia, which the authors call: RandomAffine(15 degrees,
translate 0.1, border padding), then RandomPerspective(0.7), each with probability 0.7. The first view is left clean.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

PROBABILITY = 0.7  # of each of the two, view by view
DEGREES = 15.0
# Quirk: kornia reads the published translate=0.1 as the range from 0 to 0.1 and takes the first for x, the second for
# y, so that pictures move up and down alone.
SHIFT = (0.0, 0.1)  # of the side, either way
DISTORTION = 0.7  # of half the side: how far a corner may move inwards

_SQUARE = ((-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0))  # corners in the coordinates of grid_sample
_DRAWS = 13  # uniform numbers a view: 2 choices, 1 angle, 2 shifts, 4 corners of 2


def augmented(images: Tensor, generators: Sequence[torch.Generator], *, copies: int, side: int) -> Tensor:
    """(N, C, h, w) to `copies` views of each, (copies, N, C, side, side); image k draws from generator k alone."""
    images = F.adaptive_avg_pool2d(images, side)
    drawn = [torch.rand(copies - 1, _DRAWS, generator=generator) for generator in generators]
    numbers = torch.stack(drawn, 1).flatten(0, 1).to(images.device)  # ((copies - 1) N, draws), image by image
    views = images.repeat(copies - 1, 1, 1, 1)
    views = warp(views, numbers[:, 0] < PROBABILITY, affine(numbers[:, 2:5]), padding="border")
    views = warp(views, numbers[:, 1] < PROBABILITY, perspective(numbers[:, 5:].view(-1, 4, 2)), padding="zeros")
    return torch.cat([images, views]).unflatten(0, (copies, len(images)))


def affine(numbers: Tensor) -> Tensor:
    """Angle and shifts as (N, 3) in [0, 1) to the matrices (N, 3, 3) that take a place of the view to the picture's."""
    angle, x, y = (2 * numbers - 1).unbind(1)
    angle = angle * math.radians(DEGREES)
    x, y = 2 * SHIFT[0] * x, 2 * SHIFT[1] * y  # the side is 2 in these coordinates
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    rows = [cos, sin, -cos * x - sin * y, -sin, cos, sin * x - cos * y, zero, zero, zero + 1]
    return torch.stack(rows, 1).view(-1, 3, 3)


def perspective(numbers: Tensor) -> Tensor:
    """How far every corner moves inwards, (N, 4, 2) in [0, 1), to matrices (N, 3, 3) as those of `affine`."""
    square = numbers.new_tensor(_SQUARE).expand_as(numbers)
    towards, back = _projective_basis(square), _projective_basis(square * (1 - DISTORTION * numbers))
    first, second, third = back.unbind(2)
    adjugate = torch.stack([second.cross(third, -1), third.cross(first, -1), first.cross(second, -1)], 1)
    return towards @ adjugate  # the inverse up to a factor, which homogeneous coordinates do not feel


def warp(images: Tensor, chosen: Tensor, matrices: Tensor, *, padding: str) -> Tensor:
    """Move the `chosen` (N,) of `images` (N, C, side, side) by their matrices (N, 3, 3), bilinear; the rest stay."""
    side = images.shape[-1]
    centres = (2 * torch.arange(side, device=images.device) + 1) / side - 1
    y, x = (place.flatten() for place in torch.meshgrid(centres, centres, indexing="ij"))
    matrices = matrices[chosen]
    # written out: a matrix product's rounding depends on how many there are, and is slower
    moved_x, moved_y, scale = (matrices[..., :1] * x + matrices[..., 1:2] * y + matrices[..., 2:]).unbind(1)
    # A point at infinity lies outside the picture, wherever it is.
    grid = (torch.stack([moved_x, moved_y], -1) / scale[..., None]).nan_to_num(3.0).clamp(-3, 3)
    grid = grid.unflatten(1, (side, side))
    views = images.clone()
    views[chosen] = F.grid_sample(images[chosen], grid, padding_mode=padding, align_corners=False)
    return views


def _projective_basis(corners: Tensor) -> Tensor:
    """(N, 3, 3): columns are three of four `corners` (N, 4, 2), scaled so that their sum is the fourth."""
    a, b, c, d = F.pad(corners, (0, 1), value=1.0).unbind(1)
    weights = [(b.cross(c, -1) * d).sum(1), (c.cross(a, -1) * d).sum(1), (a.cross(b, -1) * d).sum(1)]
    return torch.stack([a, b, c], 2) * torch.stack(weights, 1)[:, None]
