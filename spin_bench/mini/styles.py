"""The four domains of the embedded world: filters of a (SIDE, SIDE, 3) uint8 photo that keep its size.

They run at SIDE and are averaged down afterwards: at the canvas size they turn into noise that no small model learns.
"""

from collections.abc import Callable

import cv2
import numpy as np

from spin_bench.mini.raster import SIDE, Grey, Integers, Rgb, blurred, ramp

Style = Callable[[Rgb], Rgb]

_GREY = np.array([299, 587, 114], np.int32)


def _grey(picture: Rgb) -> Grey:
    return (picture.astype(np.int32) @ _GREY // 1000).astype(np.uint8)


def _saturate(picture: Rgb, percent: int) -> Rgb:
    grey = _grey(picture).astype(np.int32)[..., None]
    return (grey + (picture - grey) * percent // 100).clip(0, 255).astype(np.uint8)


def _calmed(picture: Rgb, side: int) -> Rgb:
    """Each pixel takes the median of the `side` px square around it."""
    return np.asarray(cv2.medianBlur(picture, side), np.uint8)


def photo(picture: Rgb) -> Rgb:
    """The scene as it was drawn."""
    return picture


def pencil(picture: Rgb) -> Rgb:
    """Graphite on paper: colour dodge of the grey picture by its blurred negative, plus light shading."""
    grey = blurred(_grey(picture), 2)
    soft = blurred(grey, 9).astype(np.int32)
    lines = np.minimum(255, grey.astype(np.int32) * 255 // np.maximum(1, soft))
    lines = 255 - np.minimum(255, (255 - lines) * 2)
    shading = 158 + blurred(grey, 4).astype(np.int32) * 97 // 255
    return ramp((lines * shading // 255).astype(np.uint8), (40, 40, 44), (250, 248, 240))


def cartoon(picture: Rgb) -> Rgb:
    """Flat saturated colours in few tones under thick dark outlines."""
    flat = _calmed(_calmed(picture, 11), 11)
    grey = _grey(flat).astype(np.int32)
    tone = (grey + 20) // 44 * 44
    toned = (flat + (tone - grey)[..., None]).clip(0, 255).astype(np.uint8)
    flat = _calmed(_saturate(toned, 160), 7)
    smooth = blurred(_grey(_calmed(picture, 7)), 2)
    edges = cv2.morphologyEx(smooth, cv2.MORPH_GRADIENT, np.ones((7, 7), np.uint8)).astype(np.int32)
    ink = blurred(np.clip((edges - 44) * 8, 0, 255).astype(np.uint8), 1).astype(np.int32)
    return (flat * (255 - ink[..., None]) // 255 + 18 * ink[..., None] // 255).astype(np.uint8)


def _kuwahara(picture: Rgb, radius: int) -> Rgb:
    """Each pixel takes the mean of the calmest of its four quadrants: flat dabs with clean edges."""
    side, half = radius + 1, radius // 2
    grey = _grey(picture)
    area = side * side
    total = cv2.boxFilter(grey, cv2.CV_32S, (side, side), normalize=False).astype(np.int64)
    squares = cv2.boxFilter((grey.astype(np.int32) ** 2).astype(np.float64), cv2.CV_64F, (side, side), normalize=False)
    variance = squares.astype(np.int64) * area - total * total
    means = cv2.blur(picture, (side, side))
    pad = half + 1
    wide_variance = np.pad(variance, pad, mode="edge")
    wide_means = np.pad(means, ((pad, pad), (pad, pad), (0, 0)), mode="edge")
    height, width = grey.shape
    best, out = np.full(grey.shape, np.iinfo(np.int64).max), np.zeros_like(picture)
    for dy in (-half, half):
        for dx in (-half, half):
            rows, columns = slice(pad + dy, pad + dy + height), slice(pad + dx, pad + dx + width)
            calmer = wide_variance[rows, columns] < best
            best[calmer] = wide_variance[rows, columns][calmer]
            out[calmer] = wide_means[rows, columns][calmer]
    return out


def _swirls() -> tuple[Integers, Integers]:
    """A fixed field of eddies as integer source coordinates (triangle waves, no transcendental function)."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.int32)

    def wave(phase: Integers, period: int, height: int) -> Integers:
        return np.abs(phase % period * 4 - 2 * period) * height // (2 * period) - height // 2

    dx = wave(y * 2 + x, 61, 7) + wave(y - x, 37, 4)
    dy = wave(x * 2 - y, 53, 7) + wave(x + y, 41, 4)
    return (y + dy).clip(0, SIDE - 1), (x + dx).clip(0, SIDE - 1)


def oil(picture: Rgb) -> Rgb:
    """Thick dabs (Kuwahara) dragged along eddies, warm saturated pigment, brush relief."""
    rows, columns = _swirls()
    dabs = _kuwahara(np.ascontiguousarray(picture[rows, columns]), 7)
    warm = _saturate(dabs, 150).astype(np.int32) * np.array([108, 100, 78]) // 100 + np.array([10, 6, 0])
    strokes = (rows * 3 + columns * 2) % 24 - 12
    return (warm + strokes[..., None]).clip(0, 255).astype(np.uint8)


STYLES: dict[str, Style] = {"real": photo, "cartoon": cartoon, "painting": oil, "sketch": pencil}
