"""Views of a reference for the extraction: its non-salient part replaced, the whole mirrored, shrunk and moved."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

COUNT = 8  # of the views that an augmentation makes
SCALES = (0.6, 1.0)  # of the picture on its grey square


@dataclass(frozen=True, eq=False)
class View:
    """A square picture and its saliency."""

    image: Tensor  # (1, 3, H, W) in [-1, 1]
    cells: Tensor  # (1, 1, h, w) in [0, 1]

    @property
    def cover(self) -> Tensor:
        """Return `cells` at the picture's resolution, (1, 1, H, W)."""
        return F.interpolate(self.cells, self.image.shape[-2:], mode="nearest").to(self.image.dtype)


def _grey(view: View) -> View:
    return View(view.image * view.cover, view.cells)


def _cropped(view: View) -> View:
    """The square around the salient part, enlarged to the whole; grey where it leaves the picture."""
    rows, columns = (torch.nonzero(view.cover[0, 0].amax(axis) > 0.5).flatten() for axis in (1, 0))
    if len(rows) == 0:
        return view
    side = view.image.shape[-1]
    centre = [float(places[0] + places[-1] + 1) / side - 1 for places in (columns, rows)]
    scale = float(max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1) / side
    return _resampled(view, torch.tensor([[scale, 0, centre[0]], [0, scale, centre[1]]]))


NON_SALIENT: dict[str, Callable[[View], View]] = {"kept": lambda view: view, "grey": _grey, "cropped": _cropped}


def _flip(view: View, generator: torch.Generator) -> View:
    if torch.rand(1, generator=generator) < 0.5:
        return View(view.image.flip(-1), view.cells.flip(-1))
    return view


def _scale_shift(view: View, generator: torch.Generator) -> View:
    """The picture smaller, somewhere on a grey square."""
    low, high = SCALES
    scale = low + (high - low) * float(torch.rand(1, generator=generator))
    x, y = ((2 * torch.rand(2, generator=generator) - 1) * (1 - scale)).tolist()
    return _resampled(view, torch.tensor([[1 / scale, 0, -x / scale], [0, 1 / scale, -y / scale]]))


def _resampled(view: View, matrix: Tensor) -> View:
    """Resample by `matrix` (2, 3), from places of the new view to places of the old, in [-1, 1]; beyond is grey."""
    shape = list(view.image.shape)
    # in float32, since half precision does not tell the pixels of a large picture apart
    grid = F.affine_grid(matrix[None].to(view.image.device), shape, align_corners=False)
    image = F.grid_sample(view.image.float(), grid, mode="bicubic", align_corners=False).clamp(-1, 1)
    cover = F.grid_sample(view.cover.float(), grid, mode="bilinear", align_corners=False)
    cells = F.interpolate(cover.to(view.cells.dtype), view.cells.shape[-2:], mode="area")
    hard = bool(((view.cells == 0) | (view.cells == 1)).all())
    return View(image.to(view.image.dtype), (cells > 0.5).to(cells.dtype) if hard else cells)


# (view, generator) to the views that the extraction draws from
AUGMENTATIONS: dict[str, Callable[[View, torch.Generator], list[View]]] = {
    "none": lambda view, generator: [view],
    "flip_scale_shift": lambda view, generator: [_scale_shift(_flip(view, generator), generator) for _ in range(COUNT)],
}


def views_of(view: View, *, non_salient: str, augmentation: str, seed: int) -> list[View]:
    """Return the view, or COUNT random ones of `seed` under an augmentation, with its non-salient part replaced."""
    generator = torch.Generator().manual_seed(seed)
    return AUGMENTATIONS[augmentation](NON_SALIENT[non_salient](view), generator)
