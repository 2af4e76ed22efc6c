"""Coherence without CLIP: statistics inside and outside the mask, and what happens along its border.

In the formulas G is the painted picture, S the untouched background, M the mask. Lengths in pixels are those of a
canvas of 64 and scale with it.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from skimage.color import rgb2lab
from torch import Tensor

from spin_bench.metrics.batch import Batch
from spin_bench.metrics.faults import LINES, SCENE, SEAMS, STYLES
from spin_bench.metrics.metric import metric
from spin_bench.metrics.preservation import FULL_MASK, or_nan, perceptual_where

RING = 2  # px, width of the bands on both sides of the mask's border
EPSILON = 1e-6

SHARES = (0.0, 1.0)
CIELAB = (0.0, 100.0)  # from black to white; a saturated pair can lie farther apart

_by_pixels = partial(metric, higher_is_better=False, resize="none", missing=FULL_MASK)
_by_stages = partial(
    _by_pixels,
    range=SHARES,
    encoder="stages",
    mask="inside and outside, averaged down to the stages of the network",
    claims=STYLES,
)


@_by_stages(
    title="Gram distance",
    compares="Gram matrices of four ImageNet stages, painted picture in the mask with background out of it",
    source="Gatys et al. 2016, the scale ours",
)
def coherence_gram(batch: Batch) -> Tensor:
    """Gram matrices of features of G in M and of S out of M: mean over stages of |A - B|^2 / (|A|^2 + |B|^2).

    Gatys et al., CVPR 2016, with the mask averaged down to each stage and a scale that no stage dominates.
    """
    distances = []
    for painted, scene, inside, outside in _stages(batch):
        a, b = _gram(painted, inside), _gram(scene, outside)
        scale = a.pow(2).sum((1, 2)) + b.pow(2).sum((1, 2))
        distances.append((a - b).pow(2).sum((1, 2)) / scale.clamp(min=EPSILON))
    return torch.stack(distances).mean(0).cpu()


@_by_stages(
    title="statistics gap",
    compares="channel means and deviations of four ImageNet stages, in the mask and out of it",
    source="Huang and Belongie 2017 (AdaIN), the scale ours",
)
def coherence_statistics(batch: Batch) -> Tensor:
    """As `coherence_gram`, of channel means and standard deviations (AdaIN, Huang and Belongie, ICCV 2017)."""
    distances = []
    for painted, scene, inside, outside in _stages(batch):
        a, b = _statistics(painted, inside), _statistics(scene, outside)
        distances.append((a - b).pow(2).sum(1) / (a.pow(2) + b.pow(2)).sum(1).clamp(min=EPSILON))
    return torch.stack(distances).mean(0).cpu()


@_by_pixels(
    title="colour gap",
    range=CIELAB,
    digits=2,
    compares="mean and deviation of CIELAB, painted picture in the mask with background out of it",
    mask="inside and outside",
    claims=STYLES,
)
def coherence_colour(batch: Batch) -> Tensor:
    """Distance of mean and standard deviation of CIELAB in M (of G) and out of M (of S)."""
    a, b = _statistics(_lab(batch.images), batch.masks), _statistics(_lab(batch.backgrounds), 1 - batch.masks)
    return or_nan((a - b).norm(dim=1), 1 - batch.masks)


@_by_pixels(
    title="boundary gradient",
    range=SHARES,
    compares="CIELAB step across the mask's border, as a share of it and that across parallel lines",
    mask="lines 2 px (of 64) to both sides of the border",
    missing="where nothing changes anywhere",
    claims=LINES,
)
def coherence_gradient(batch: Batch) -> Tensor:
    """Mean CIELAB step across the mask's border, as a share of itself and of the step across parallel lines.

    0.5 where the border is a line like its neighbours, 1 where all else is flat, NaN if everything is.
    """
    pictures, width = _lab(batch.images), _px(batch, RING)
    seam = _step(pictures, batch.masks)
    beside = (_step(pictures, grown(batch.masks, width)) + _step(pictures, shrunk(batch.masks, width))) / 2
    return seam / (seam + beside)


@_by_pixels(
    title="colour jump",
    range=(-100, 100),
    digits=2,
    compares="CIELAB means on both sides of the mask's border, less the background's own",
    mask="Gaussian means of 2 px (of 64) on each side",
    claims=SEAMS,
)
def coherence_jump(batch: Batch) -> Tensor:
    """Mean over the border of the CIELAB distance between both sides of it in G, less the same in S.

    A side's colour is its Gaussian mean (sigma RING); S may have a jump of its own there, which is no fault of G.
    """
    sigma = _px(batch, RING)
    painted, scene = (_jump(_lab(pictures), batch.masks, sigma) for pictures in (batch.images, batch.backgrounds))
    return painted - scene


@_by_pixels(
    title="ring distance",
    range=(0, 4),
    encoder="perceptual",
    compares="painted picture with its background in a ring of 4 px (of 64) outside the mask",
    mask="all but the ring mid-grey in both",
    claims=SCENE,
)
def coherence_ring(batch: Batch) -> Tensor:
    """Perceptual distance of G and S in a ring outside the mask, everything else grey: what bled over the border."""
    ring = grown(batch.masks, _px(batch, 2 * RING)) - batch.masks
    return perceptual_where(batch, ring)


def _stages(batch: Batch) -> list[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """(features of G, of S, weights inside, weights outside) of every stage."""
    network = batch.encoders["stages"]
    painted, scenes = (network(pictures.to(batch.stack.device)) for pictures in (batch.images, batch.backgrounds))
    stages = []
    for g, s in zip(painted, scenes, strict=True):
        inside = F.adaptive_avg_pool2d(batch.masks.to(g.device), g.shape[-2:])
        stages.append((g, s, inside, 1 - inside))
    return stages


def _gram(features: Tensor, weights: Tensor) -> Tensor:
    """Weighted second moments of channels, (n, c, c); NaN if all weights are 0."""
    flat, weight = features.flatten(2), weights.flatten(2)
    return torch.einsum("ncp,ndp->ncd", flat * weight, flat) / weight.sum(2, keepdim=True)


def _statistics(features: Tensor, weights: Tensor) -> Tensor:
    """Weighted means, then standard deviations, of the channels: (n, 2c); NaN if all weights are 0."""
    total = weights.sum((2, 3))
    mean = (features * weights).sum((2, 3)) / total
    variance = ((features - mean[..., None, None]).pow(2) * weights).sum((2, 3)) / total
    return torch.cat([mean, variance.clamp(min=0).sqrt()], 1)


def _lab(pictures: Tensor) -> Tensor:
    """(n, 3, H, W) in [-1, 1] to CIELAB (D65), L* in [0, 100]."""
    lab = rgb2lab(((pictures + 1) / 2).clamp(0, 1).permute(0, 2, 3, 1).double().cpu().numpy())
    return torch.from_numpy(np.ascontiguousarray(lab)).permute(0, 3, 1, 2).float()


def _px(batch: Batch, length: int) -> int:
    """A length on a canvas of 64 px, on the batch's own."""
    return max(1, round(length * batch.masks.shape[-1] / 64))


def grown(masks: Tensor, width: int) -> Tensor:
    """Grow masks (n, 1, H, W) in {0, 1} by a square margin of `width` px; the frame is no border."""
    return F.max_pool2d(masks, 2 * width + 1, stride=1, padding=width)


def shrunk(masks: Tensor, width: int) -> Tensor:
    """Shrink masks by `width` px: `grown` of the rest; a mask that reaches the frame keeps its side there."""
    return 1 - grown(1 - masks, width)


def mean_across(inside: Tensor, of_pairs: Callable[[int], Tensor]) -> Tensor:
    """Average over the neighbours of which `inside` (n, 1, H, W) holds one: (n,); NaN without any.

    `of_pairs(dim)` is a value for every two neighbours along dimension 2 or 3, one row or column fewer than `inside`.
    """
    total = count = torch.zeros(len(inside), device=inside.device)
    for dim in (2, 3):
        crossing = inside.diff(dim=dim).abs()
        total = total + (of_pairs(dim) * crossing).sum((1, 2, 3))
        count = count + crossing.sum((1, 2, 3))
    return total / count


def _step(pictures: Tensor, masks: Tensor) -> Tensor:
    """Mean distance of neighbouring pixels of which `masks` holds one; NaN if there are none."""
    return mean_across(masks, lambda dim: pictures.diff(dim=dim).norm(dim=1, keepdim=True))


def _jump(pictures: Tensor, masks: Tensor, sigma: int) -> Tensor:
    """Mean distance of the two sides' Gaussian means along the border of `masks`; NaN if there is none."""
    sides = [_blur(pictures * side, sigma) / _blur(side, sigma).clamp(min=EPSILON) for side in (masks, 1 - masks)]
    border = masks - shrunk(masks, 1)
    return ((sides[0] - sides[1]).norm(dim=1, keepdim=True) * border).sum((1, 2, 3)) / border.sum((1, 2, 3))


def _blur(pictures: Tensor, sigma: int) -> Tensor:
    """Gaussian of 3 sigma, zero beyond the frame: only for quotients."""
    offsets = torch.arange(-3 * sigma, 3 * sigma + 1, dtype=pictures.dtype)
    kernel = torch.exp(-offsets.pow(2) / (2 * sigma**2))
    flat = pictures.flatten(0, 1)[:, None]
    flat = F.conv2d(flat, kernel.view(1, 1, -1, 1), padding=(3 * sigma, 0))
    return F.conv2d(flat, kernel.view(1, 1, 1, -1), padding=(0, 3 * sigma))[:, 0].unflatten(0, pictures.shape[:2])
