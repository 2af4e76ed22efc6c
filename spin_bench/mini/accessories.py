"""What some individuals wear: a hat, a ribbon or glasses, drawn on the dressed sprite with integer geometry."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from spin_bench.mini.raster import Grey, Rgb, resized

# (rgb (S, S, 3), alpha (S, S)) to the same, both uint8; neither is changed in place.
Accessory = Callable[[Rgb, Grey], tuple[Rgb, Grey]]

_FELT, _BAND, _SILK, _KNOT, _FRAME = (52, 44, 60), (226, 190, 60), (214, 30, 90), (130, 14, 56), (24, 22, 28)


def _span(alpha: Grey, row: int) -> tuple[int, int]:
    """First and last opaque column of a row; the middle twice where it is empty."""
    columns = np.flatnonzero(alpha[row] > 128)
    middle = alpha.shape[1] // 2
    return (int(columns[0]), int(columns[-1])) if len(columns) else (middle, middle)


def _lowered(layer: NDArray[np.uint8], percent: int) -> NDArray[np.uint8]:
    """The layer made smaller and stood at the bottom of its square."""
    side, out = len(layer), np.zeros_like(layer)
    small = side * percent // 100
    left = (side - small) // 2
    out[side - small :, left : left + small] = resized(layer, small)
    return out


def hat(rgb: Rgb, alpha: Grey) -> tuple[Rgb, Grey]:
    """A top hat on the highest part; everything else becomes a little smaller to make room."""
    rgb, alpha = _lowered(rgb, 80), _lowered(alpha, 80)
    side = len(rgb)
    top = int(np.flatnonzero((alpha > 128).any(1))[0])
    low, high = _span(alpha, min(side - 1, top + side // 30))
    x, brim, width = (low + high) // 2, top + side // 20, side * 13 // 100
    x = min(max(x, width * 16 // 10), side - 1 - width * 16 // 10)
    crown = brim - side * 21 // 100
    band = brim - side * 6 // 100
    for part in (rgb, alpha):
        colours = [(255, 255, 255)] * 2 if part is alpha else [_FELT, _BAND]
        cv2.rectangle(part, (x - width, max(0, crown)), (x + width, brim), colours[0], -1)
        cv2.rectangle(part, (x - width * 16 // 10, brim - side // 28), (x + width * 16 // 10, brim), colours[0], -1)
        cv2.rectangle(part, (x - width, band - side // 40), (x + width, band + side // 60), colours[1], -1)
    return rgb, alpha


def ribbon(rgb: Rgb, alpha: Grey) -> tuple[Rgb, Grey]:
    """A sash across the middle with a bow on it, no wider than the object."""
    rgb, side = rgb.copy(), len(rgb)
    y, half = side * 56 // 100, side // 22
    rows = slice(y - half, y + half)
    rgb[rows] = np.array(_SILK, np.uint8)
    low, high = _span(alpha, y)
    x, wing = (low + high) // 2, side // 8
    for sign in (-1, 1):
        corners = np.array(
            [(x, y), (x + sign * wing, y - wing * 3 // 4), (x + sign * wing, y + wing * 3 // 4)], np.int32
        )
        cv2.fillPoly(rgb, [corners], _SILK)
        cv2.polylines(rgb, [corners], True, _KNOT, max(1, side // 75))
    cv2.circle(rgb, (x, y), side // 26, _KNOT, -1)
    return rgb, alpha


def glasses(rgb: Rgb, alpha: Grey) -> tuple[Rgb, Grey]:
    """Dark round frames with pale lenses, a third of the way down."""
    rgb, side = rgb.copy(), len(rgb)
    y, radius = side * 36 // 100, side // 10
    low, high = _span(alpha, y)
    x = (low + high) // 2
    for sign in (-1, 1):
        centre = (x + sign * radius * 12 // 10, y)
        cv2.circle(rgb, centre, radius, (214, 232, 240), -1)
        cv2.circle(rgb, centre, radius, _FRAME, side // 28)
    cv2.line(rgb, (x - radius // 3, y), (x + radius // 3, y), _FRAME, side // 28)
    return rgb, alpha


ACCESSORIES: dict[str, Accessory] = {"hat": hat, "ribbon": ribbon, "glasses": glasses}
