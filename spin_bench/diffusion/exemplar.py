"""Uni-paint's exemplar augmentation (Yang et al. 2023): the reference as a square somewhere in the mask's box."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from spin_bench.diffusion.latents import to_tensor

SIDE_SHARE = (0.4, 0.9)  # of the box's shorter side: range of the square's side
FLIPPED_SHARE = 0.5


@dataclass(frozen=True)
class Box:
    """A box on a canvas, px; right and bottom exclusive."""

    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True)
class Placement:
    """A square on a canvas, px, and whether its content is mirrored first."""

    top: int
    left: int
    side: int
    flipped: bool


def stretched(picture: Image.Image, side: int) -> Tensor:
    """Stretch the whole picture to a square, (1, 3, side, side) in [-1, 1]."""
    return to_tensor(picture.resize((side, side), Image.Resampling.BILINEAR))


def mask_box(mask: Image.Image) -> Box:
    """Return the box around the largest connected part of `mask` (L, painted where 255)."""
    cover = np.array(mask)
    contours, _ = cv2.findContours(cover, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    left, top, width, height = cv2.boundingRect(max(contours, key=cv2.contourArea))
    # Quirk: a box that reaches the canvas's far edge ends one pixel before it.
    right, bottom = min(left + width, mask.width - 1), min(top + height, mask.height - 1)
    return Box(left, top, right, bottom)


def draw_placement(box: Box, generator: torch.Generator, *, swap_axes: bool) -> Placement:
    """Draw a random square in `box`; one pixel if the box has no room for more.

    Quirk (`swap_axes`): the authors draw x and y in the box, then use x as the row and y as the column, so the square
    lands in the box's mirror image over the canvas's diagonal.
    """
    shorter = min(box.right - box.left, box.bottom - box.top)
    side = _draw(max(1, int(SIDE_SHARE[0] * shorter)), int(SIDE_SHARE[1] * shorter), generator)
    x = _draw(box.left, box.right - side, generator)
    y = _draw(box.top, box.bottom - side, generator)
    flipped = bool(torch.rand(1, generator=generator) < FLIPPED_SHARE)
    top, left = (x, y) if swap_axes else (y, x)
    return Placement(top, left, side, flipped)


def place(exemplar: Tensor, placement: Placement) -> tuple[Tensor, Tensor]:
    """Shrink `exemplar` (1, 3, S, S) onto a grey canvas of its size; return canvas and cover, (1, 1, S, S)."""
    rows = slice(placement.top, placement.top + placement.side)
    columns = slice(placement.left, placement.left + placement.side)
    shrunk = F.interpolate(exemplar, (placement.side, placement.side), mode="bilinear")
    canvas, cover = torch.zeros_like(exemplar), torch.zeros_like(exemplar[:, :1])
    canvas[..., rows, columns] = shrunk.flip(-1) if placement.flipped else shrunk
    cover[..., rows, columns] = 1
    return canvas, cover


def _draw(low: int, high: int, generator: torch.Generator) -> int:
    """Uniform in [low, high), or `low` where that is empty."""
    return int(torch.randint(low, max(high, low + 1), (1,), generator=generator))
