"""What of a sprite is its body, to be recoloured, and what stays: eyes, wheels, leaves. Integer k-means in CIELAB."""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from spin_bench.mini.cielab import to_lab
from spin_bench.mini.raster import Grey, Integers, blurred
from spin_bench.mini.sprites import pixels

CLUSTERS, ROUNDS = 5, 12
BODY_SHARE = 74  # percent of the object that the body's clusters cover at least
_WEIGHTS = np.array([6, 10, 10], np.int64)  # of L, a, b in a distance: shading alone makes no other part


@dataclass(frozen=True, eq=False)
class Parts:
    """A sprite taken apart; S is its side."""

    body: Grey  # (S, S), how far a pixel belongs to the body
    shade: Integers  # (S, S), L in tenths, less that of the body, parts drawn together


def _nearest(points: Integers, centres: Integers) -> Integers:
    """Index of the centre nearest to every point, (n,)."""
    return np.stack([((points - centre) ** 2).sum(1) for centre in centres]).argmin(0)


def _centres(points: Integers) -> Integers:
    """k-means of (n, 3) int64: begun at the mean and the farthest points from there, in `ROUNDS` rounds."""
    centres = points.sum(0)[None] // len(points)
    while len(centres) < CLUSTERS:
        away = np.stack([((points - centre) ** 2).sum(1) for centre in centres]).min(0)
        centres = np.concatenate([centres, points[away.argmax()][None]])
    for _ in range(ROUNDS):
        labels = _nearest(points, centres)
        for index in range(CLUSTERS):
            own = points[labels == index]
            if len(own):
                centres[index] = own.sum(0) // len(own)
    return centres


def _body_clusters(counts: Integers) -> list[int]:
    """The largest clusters that together cover `BODY_SHARE` percent."""
    order = sorted(range(len(counts)), key=lambda index: (-int(counts[index]), index))
    covered = 0
    for place, index in enumerate(order, start=1):
        covered += int(counts[index])
        if covered * 100 >= BODY_SHARE * int(counts.sum()):
            return order[:place]
    return order


@cache
def parts(noun: str) -> Parts:
    """The parts of one noun's sprite."""
    sprite = pixels(noun)
    lab = to_lab(sprite[..., :3])
    weighted, opaque = lab * _WEIGHTS // 10, sprite[..., 3] > 128
    points = weighted[opaque]
    centres = _centres(points)
    labels = _nearest(weighted.reshape(-1, 3), centres).reshape(opaque.shape)
    body = _body_clusters(np.bincount(labels[opaque], minlength=CLUSTERS))
    inside = np.asarray(cv2.medianBlur((np.isin(labels, body) * 255).astype(np.uint8), 5), np.uint8)
    own_mean = (lab[..., 0][opaque & (inside > 127)]).sum() // max(1, (opaque & (inside > 127)).sum())
    part_mean = (centres[:, 0] * 10 // _WEIGHTS[0])[labels]
    shade = (lab[..., 0] - part_mean) * 8 // 10 + (part_mean - own_mean) * 5 // 10
    return Parts(blurred(inside, 1), shade)
