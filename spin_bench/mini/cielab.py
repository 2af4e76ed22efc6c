"""CIELAB in integers: tables and products that come out the same on every machine, unlike a float's cube root.

L, a and b are in tenths, so white is (1000, 0, 0). D65, 2 degrees.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from spin_bench.mini.raster import Integers, Rgb

_ONE = 2**20  # linear light
_UNIT = 10_000  # of CIELAB's f

# Rows give X, Y, Z as shares of the white point, in millionths of linear R, G, B; and back.
_TO_XYZ = np.array([[433950, 376210, 189840], [212673, 715152, 72175], [17757, 109468, 872775]], np.int64)
_TO_RGB = np.array([[3079955, -1537139, -542816], [-921259, 1876011, 45248], [52887, -204026, 1151138]], np.int64)


def _root(value: int, degree: int) -> int:
    """The largest integer whose power of `degree` is at most `value`."""
    low, high = 0, 1 << (value.bit_length() // degree + 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**degree <= value else (low, middle - 1)
    return low


@cache
def _linear() -> Integers:
    """sRGB's byte to linear light, (256,) int64 in [0, _ONE]."""
    low = [byte * _ONE * 100 // (255 * 1292) for byte in range(11)]
    high = [_root((byte * 1000 + 14025) ** 12 * _ONE**5 // 269025**12, 5) for byte in range(11, 256)]
    return np.array(low + high, np.int64)


@cache
def _f() -> Integers:
    """CIELAB's f of a share of the white point in 4096ths, (4097,) int64 in units of 1 / _UNIT."""
    low = [(7787 * share * 10 // 4096) + 1379 for share in range(37)]
    high = [_root(share * _UNIT**3 // 4096, 3) for share in range(37, 4097)]
    return np.array(low + high, np.int64)


def to_lab(rgb: Rgb) -> Integers:
    """(..., 3) uint8 sRGB to (..., 3) int64 CIELAB in tenths."""
    shares = _linear()[rgb] @ _TO_XYZ.T // 1_000_000
    x, y, z = np.moveaxis(_f()[(shares >> 8).clip(0, 4096)], -1, 0)
    return np.stack([1160 * y // _UNIT - 160, 5000 * (x - y) // _UNIT, 2000 * (y - z) // _UNIT], axis=-1)


def _to_linear(lab: Integers) -> Integers:
    """(..., 3) CIELAB in tenths to linear light, (..., 3) int64; outside [0, _ONE] where sRGB lacks the colour."""
    y = (lab[..., 0] + 160) * _UNIT // 1160
    f = np.stack([y + lab[..., 1] * _UNIT // 5000, y, y - lab[..., 2] * _UNIT // 2000], axis=-1)
    shares = np.where(f > 2069, f**3 * _ONE // _UNIT**3, (f - 1379) * _ONE // 77870)
    return shares @ _TO_RGB.T // 1_000_000


def to_rgb(lab: Integers) -> tuple[Rgb, NDArray[np.bool_]]:
    """(..., 3) CIELAB in tenths to (..., 3) uint8 sRGB, cut where it must be, and (...) bool: it need not be cut."""
    light = _to_linear(lab)
    inside: NDArray[np.bool_] = np.all((light > -_ONE // 200) & (light < _ONE + _ONE // 200), axis=-1)
    table = _linear()
    return np.searchsorted((table[1:] + table[:-1]) // 2, light.clip(0, _ONE)).astype(np.uint8), inside


def tones(a: int, b: int) -> Rgb:
    """One hue at every lightness, as strong as (a, b) or as sRGB has it: (1001, 3) uint8, by L in tenths."""
    lightness = np.arange(1001, dtype=np.int64)
    out, missing = np.zeros((1001, 3), np.uint8), np.ones(1001, bool)
    for percent in range(100, -1, -2):
        lab = np.stack([lightness, np.full(1001, a * percent // 100), np.full(1001, b * percent // 100)], axis=-1)
        rgb, inside = to_rgb(lab)
        strongest = missing & (inside | (percent == 0))
        out[strongest] = rgb[strongest]
        missing &= ~strongest
    return out
