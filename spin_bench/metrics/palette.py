"""How far the painted object's colours are from the reference's object's: no network, only CIELAB.

Two sets of weighted colours are compared by the sliced earth mover's distance, and scaled so that a set moved by a
vector lies as far away as the vector is long.
"""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from skimage.color import rgb2lab
from torch import Tensor

from spin_bench.core.case import Case
from spin_bench.diffusion.latents import mask_to_tensor, to_tensor
from spin_bench.metrics.batch import Batch
from spin_bench.metrics.metric import metric

Values = NDArray[np.float64]

SIDE = 96  # px; larger pictures are averaged down to it
DIRECTIONS = 64
NEAR, FAR = 6.0, 18.0  # CIELAB distance from the scene's colours at which a pixel is scene, and is object
REACH = 3  # px around a pixel in which the scene's colours are looked for, on a canvas of 64
TRACE = 1e-3  # weight of a pixel of the scene: it counts where nothing else is there


def directions(count: int = DIRECTIONS) -> Values:
    """Unit vectors spread evenly over the sphere, (count, 3): a Fibonacci lattice."""
    index = np.arange(count) + 0.5
    height, turn = 1 - 2 * index / count, np.pi * (1 + 5**0.5) * index
    radius = np.sqrt(1 - height**2)
    return np.stack([radius * np.cos(turn), radius * np.sin(turn), height], axis=1)


def sliced_distance(a: Values, a_weights: Values, b: Values, b_weights: Values) -> float:
    """Twice the mean, over `directions`, of the earth mover's distance of colours (n, 3) and (m, 3) along one.

    Weights are positive and need not sum to 1. NaN where a set is empty.
    """
    if not len(a) or not len(b):
        return float("nan")
    along = directions() @ np.concatenate([a, b]).T
    signed = np.concatenate([a_weights / a_weights.sum(), -b_weights / b_weights.sum()])
    order = along.argsort(axis=1)
    gaps = np.diff(np.take_along_axis(along, order, axis=1), axis=1)
    surplus = np.cumsum(signed[order], axis=1)[:, :-1]
    return float(2 * (np.abs(surplus) * gaps).sum(axis=1).mean())


def _small(picture: Tensor) -> Tensor:
    """(1, c, H, W) averaged down to at most SIDE px, its longer side."""
    height, width = picture.shape[-2:]
    scale = SIDE / max(height, width)
    if scale >= 1:
        return picture
    return F.interpolate(picture, (max(1, round(height * scale)), max(1, round(width * scale))), mode="area")


def _lab(picture: Tensor) -> Values:
    """(1, 3, H, W) in [-1, 1] to (H, W, 3) CIELAB, L* in [0, 100]."""
    return np.asarray(rgb2lab(((picture[0] + 1) / 2).clamp(0, 1).permute(1, 2, 0).double().cpu().numpy()))


def _from_scene(painted: Values, scene: Values) -> Values:
    """Distance of every painted pixel from the nearest of the scene's colours around its place, (H, W)."""
    reach = max(1, round(REACH * len(scene) / 64))
    padded = np.pad(scene, ((reach, reach), (reach, reach), (0, 0)), mode="edge")
    height, width = painted.shape[:2]
    nearest = np.full((height, width), np.inf)
    for dy in range(2 * reach + 1):
        for dx in range(2 * reach + 1):
            away = np.linalg.norm(painted - padded[dy : dy + height, dx : dx + width], axis=2)
            nearest = np.minimum(nearest, away)
    return nearest


def painted_colours(painted: Tensor, scene: Tensor, mask: Tensor) -> tuple[Values, Values]:
    """Colours (n, 3) and weights (n,) of what was painted in the mask, less what looks like the scene it covers."""
    picture, ground, inside = _lab(_small(painted)), _lab(_small(scene)), _small(mask)[0, 0].cpu().numpy()
    foreign = ((_from_scene(picture, ground) - NEAR) / (FAR - NEAR)).clip(0, 1)
    return picture[inside > 0.5], foreign[inside > 0.5] + TRACE


def reference_colours(case: Case) -> tuple[Values, Values]:
    """Colours (n, 3) and weights (n,) of the reference's object; of the whole photo where it has no mask."""
    if case.reference_mask is None or case.reference_mask.getbbox() is None:
        photo = _lab(_small(to_tensor(case.reference)))
        return photo.reshape(-1, 3), np.ones(photo.shape[0] * photo.shape[1])
    mask = mask_to_tensor(case.reference_mask)
    share = _small(mask)
    inside = (share > min(0.5, float(share.max()) / 2))[0, 0].cpu().numpy()
    alone = _lab(_small(to_tensor(case.reference) * mask) / share.clamp(min=1e-6))
    return alone[inside], np.ones(int(inside.sum()))


@metric(
    title="palette",
    higher_is_better=False,
    range=(0, 150),
    unit="CIELAB units",
    digits=1,
    compares="colours painted in the mask with the colours of the reference's object",
    crop="the mask",
    resize=f"averaged down to {SIDE} px where larger",
    mask=(
        "painted pixels weigh by their distance from the background's colours around them "
        f"({NEAR:g} to {FAR:g} CIELAB units); reference inside its own mask (the whole photo where it has none)"
    ),
    colour="CIELAB (D65)",
    # a paste brings the reference's surroundings with it; another noun in the same look keeps the palette
    claims=("untouched", "wrong_hue", "colour_shift", "copy_paste", "feathered_paste", "poisson", "blurred"),
)
def palette_fg(batch: Batch) -> Tensor:
    """Sliced earth mover's distance of CIELAB colours: what was painted in the mask, and the reference's object."""
    references = {case.id: reference_colours(case) for case in batch.cases}
    values = [
        sliced_distance(*painted_colours(image[None], scene[None], mask[None]), *references[case.id])
        for case, image, scene, mask in zip(batch.cases, batch.images, batch.backgrounds, batch.masks, strict=True)
    ]
    return torch.tensor(values)
