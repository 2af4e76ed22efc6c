"""Which colour and which pattern an object shows, told without any network.

The colour is a vote of the object's pixels for the nearest named colour in CIELAB. The pattern is read off the power
spectrum of the object's lightness by a linear rule fitted to true scenes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from spin_bench.mini.cielab import to_lab
from spin_bench.mini.looks import COLOURS
from spin_bench.mini.patterns import PATTERNS
from spin_bench.mini.raster import Rgb

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]  # (H, W), where the object is

LIGHTNESS_SHARE = 0.6  # of L in a distance of colours: shading is no other colour
INK_SHARE = 0.35  # of a black pixel's vote: cartoons' outlines and dark accents are black on every colour
PALE = (900, 0, 0)  # what light accents are, which name no colour
SIDE, RINGS, SECTORS = 48, 8, 8  # px of a cut object; bins of its spectrum
RIDGE = 1.0


def colour_votes(picture: Rgb, mask: Mask) -> Values:
    """Share of the object's votes for each of COLOURS; (H, W, 3) uint8 and (H, W) bool to (colours,)."""
    weights = np.array([LIGHTNESS_SHARE, 1, 1])
    named = [(colour.lightness, colour.a * 8 // 10, colour.b * 8 // 10) for colour in COLOURS.values()]
    pixels = to_lab(picture[mask]) * weights
    away = np.stack([np.linalg.norm(pixels - np.array(lab) * weights, axis=1) for lab in (*named, PALE)])
    counts = np.bincount(away.argmin(0), minlength=len(named) + 1)[:-1] * np.array(
        [INK_SHARE if name == "black" else 1.0 for name in COLOURS]
    )
    return counts / max(1e-9, counts.sum())


def named_colour(picture: Rgb, mask: Mask) -> str:
    """The colour that most of the object's pixels vote for."""
    return list(COLOURS)[int(colour_votes(picture, mask).argmax())]


def spectrum(picture: Rgb, mask: Mask) -> Values:
    """Log power of the object's lightness, cut to its square and levelled, by ring and sector; (RINGS * SECTORS + 1,).

    The last value is its contrast: a plain object has hardly any.
    """
    rows, columns = np.nonzero(mask)
    top, left = int(rows.min()), int(columns.min())
    side = max(int(rows.max()) - top, int(columns.max()) - left) + 1
    level = to_lab(picture)[..., 0].astype(np.float64)
    inside = mask.astype(np.float64)
    mean = float((level * inside).sum() / inside.sum())
    residual = np.zeros((side, side))
    cut = ((level - mean) * inside)[top : top + side, left : left + side]
    residual[: cut.shape[0], : cut.shape[1]] = cut
    square = cv2.resize(residual, (SIDE, SIDE), interpolation=cv2.INTER_AREA if side > SIDE else cv2.INTER_LINEAR)
    power = np.abs(np.fft.fftshift(np.fft.fft2(square))) ** 2
    y, x = np.mgrid[-SIDE // 2 : SIDE // 2, -SIDE // 2 : SIDE // 2]
    ring = np.minimum(np.hypot(x, y) / 2, RINGS - 1e-6).astype(int)
    sector = (np.arctan2(y, x) % np.pi / np.pi * SECTORS).astype(int) % SECTORS
    binned = np.bincount((ring * SECTORS + sector).ravel(), power.ravel(), RINGS * SECTORS)
    contrast = float(np.sqrt((cut**2).sum() / inside.sum()))
    return np.append(np.log(binned / max(1e-9, binned.sum()) + 1e-4), np.log(contrast + 1))


@dataclass(frozen=True, eq=False)
class PatternJudge:
    """A linear rule over spectra."""

    mean: Values
    scale: Values
    weights: Values  # (features + 1, patterns)

    def named(self, picture: Rgb, mask: Mask) -> str:
        features = np.append((spectrum(picture, mask) - self.mean) / self.scale, 1.0)
        return list(PATTERNS)[int((features @ self.weights).argmax())]


def fitted_pattern_judge(pictures: Sequence[Rgb], masks: Sequence[Mask], patterns: Sequence[str]) -> PatternJudge:
    """Ridge regression of true scenes' patterns on their spectra; closed form."""
    features = np.stack([spectrum(picture, mask) for picture, mask in zip(pictures, masks, strict=True)])
    mean, scale = features.mean(0), features.std(0) + 1e-9
    design = np.column_stack([(features - mean) / scale, np.ones(len(features))])
    target = np.eye(len(PATTERNS))[[list(PATTERNS).index(pattern) for pattern in patterns]]
    weights = np.linalg.solve(design.T @ design + RIDGE * np.eye(design.shape[1]), design.T @ target)
    return PatternJudge(mean, scale, weights)
