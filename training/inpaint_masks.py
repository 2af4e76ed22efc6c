"""Random masks to train inpainting on, drawn for a whole batch at once.

A mask is (N, H, W) bool here, true where something is to be painted; a box is left, top, right, bottom in pixels, the
last two exclusive.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

# What an inpainting model trains on. The benchmark's masks are boxes around where an object goes, so most are boxes.
SHARES = {"box": 0.45, "subject": 0.15, "rectangle": 0.15, "brush": 0.15, "full": 0.10}
WITH_SUBJECT = ("box", "subject")  # a scene without one gets a rectangle instead

GROWTH = 0.3  # of a box's side, the most that each of its edges moves outwards
DILATION = 6  # px, the most that a subject's mask is dilated by
RECTANGLE = (0.2, 0.8)  # of the canvas, a rectangle's sides
STROKE_POINTS, STROKE_STEP, STROKE_TURN = 8, (0.1, 0.3), 0.8  # of the canvas; radians, standard deviation
STROKE_START = (0.2, 0.8)  # of the canvas, either way
STROKE_RADIUS = (0.05, 0.12)  # of the canvas


def _uniform(low: float, high: float, n: int, generator: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(n, generator=generator)


def subject_boxes(subjects: Tensor) -> Tensor:
    """Bounding boxes (N, 4) of masks, all zero where a mask is empty."""
    side = subjects.shape[-1]
    grid = torch.arange(side)
    low, high = [], []
    for axis in (1, 2):  # columns, then rows
        covered = subjects.any(axis)
        low.append(torch.where(covered, grid, side).amin(1))
        high.append(torch.where(covered, grid + 1, 0).amax(1))
    return torch.stack([*low, *high], 1) * subjects.flatten(1).any(1)[:, None]


def filled(boxes: Tensor, side: int) -> Tensor:
    """Masks of boxes (N, 4) on a square canvas; what leaves the canvas is cut."""
    grid = torch.arange(side)
    left, top, right, bottom = boxes[:, :, None].unbind(1)
    columns, rows = (grid >= left) & (grid < right), (grid >= top) & (grid < bottom)
    return rows[:, :, None] & columns[:, None, :]


def grown(boxes: Tensor, generator: torch.Generator) -> Tensor:
    """Each edge of each box moved outwards by 0 to `GROWTH` of the box's side."""
    size = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    margin = torch.round(size * GROWTH * torch.rand(len(boxes), 4, generator=generator)).long()
    return boxes + margin * torch.tensor([-1, -1, 1, 1])


def rectangles(n: int, side: int, generator: torch.Generator) -> Tensor:
    """Anywhere inside the canvas."""
    size = torch.stack([_uniform(*RECTANGLE, n, generator) for _ in range(2)], 1) * side
    corner = torch.rand(n, 2, generator=generator) * (side - size)
    return filled(torch.cat([corner, corner + size], 1).round().long(), side)


def brushes(n: int, side: int, generator: torch.Generator) -> Tensor:
    """One stroke each: a random walk drawn with a round brush."""
    turns = STROKE_TURN * torch.randn(n, STROKE_POINTS - 1, generator=generator)
    turns[:, 0] = _uniform(0, 2 * math.pi, n, generator)
    angle = turns.cumsum(1)
    length = torch.empty(angle.shape).uniform_(*STROKE_STEP, generator=generator) * side
    steps = length[..., None] * torch.stack([angle.cos(), angle.sin()], -1)
    start = torch.stack([_uniform(*STROKE_START, n, generator) for _ in range(2)], 1)[:, None] * side
    points = torch.cat([start, start + steps.cumsum(1)], 1).clamp(0, side)
    grid = torch.arange(side) + 0.5
    pixels = torch.cartesian_prod(grid, grid).flip(1)  # (side * side, 2), x then y
    radius = _uniform(*STROKE_RADIUS, n, generator) * side
    return (_distance(pixels, points) < radius[:, None]).unflatten(1, (side, side))


def _distance(pixels: Tensor, points: Tensor) -> Tensor:
    """From every pixel (P, 2) to the nearest segment of every path (N, K, 2): (N, P)."""
    from_a = pixels - points[:, :-1, None]  # (N, K - 1, P, 2)
    along = (points[:, 1:] - points[:, :-1])[:, :, None]
    share = ((from_a * along).sum(-1) / along.pow(2).sum(-1).clamp(min=1e-6)).clamp(0, 1)
    return (from_a - share[..., None] * along).norm(dim=-1).amin(1)


def dilated(masks: Tensor, radii: Tensor) -> Tensor:
    """Each mask dilated by a square of its own radius, (N,) whole px."""
    layers = [masks.float()]
    for _ in range(int(radii.max())):
        layers.append(F.max_pool2d(layers[-1], 3, stride=1, padding=1))
    return torch.stack(layers)[radii, torch.arange(len(masks))] > 0


def inpaint_masks(subjects: Tensor, generator: torch.Generator) -> Tensor:
    """One mask of a random kind a scene, (N, 1, H, W) float32 in {0, 1}; `subjects` are the masks of its subjects."""
    n, side = len(subjects), subjects.shape[-1]
    names = list(SHARES)
    kinds = torch.multinomial(torch.tensor(list(SHARES.values())), n, replacement=True, generator=generator)
    needs_subject = torch.tensor([name in WITH_SUBJECT for name in names])
    kinds[needs_subject[kinds] & ~subjects.flatten(1).any(1)] = names.index("rectangle")
    of_kind = {
        "box": filled(grown(subject_boxes(subjects), generator), side),
        "subject": dilated(subjects, torch.randint(DILATION + 1, (n,), generator=generator)),
        "rectangle": rectangles(n, side, generator),
        "brush": brushes(n, side, generator),
        "full": torch.ones(n, side, side, dtype=torch.bool),
    }
    return torch.stack([of_kind[name] for name in names])[kinds, torch.arange(n)][:, None].float()
