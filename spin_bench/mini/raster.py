"""Integer drawing primitives: every operation rounds the same way on every machine, so pictures are byte-identical."""

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 256  # px; scenes are drawn and filtered here and averaged down to the canvas afterwards

Colour = tuple[int, int, int]
Rgb = NDArray[np.uint8]  # (h, w, 3), sRGB
Grey = NDArray[np.uint8]  # (h, w): lightness, or how far a pixel is covered
Integers = NDArray[np.int64]


def noise(rng: np.random.Generator, cells_y: int, cells_x: int, octaves: int = 3) -> Grey:
    """Value noise, (SIDE, SIDE) uint8 over the full range; `cells_*` are the lattice cells of the first octave."""
    total = np.zeros((SIDE, SIDE), np.int32)
    for octave in range(octaves):
        lattice = rng.integers(0, 256, (cells_y * 2**octave + 1, cells_x * 2**octave + 1), dtype=np.uint8)
        total += resized(lattice, SIDE).astype(np.int32) * 2 ** (octaves - octave)
    low, high = int(total.min()), int(total.max())
    return ((total - low) * 255 // max(1, high - low)).astype(np.uint8)


def ramp(value: Grey, dark: Colour, light: Colour) -> Rgb:
    """Colour a (h, w) uint8 picture by a straight line between two colours; (h, w, 3) uint8."""
    steps = np.arange(256, dtype=np.int32)[:, None]
    start, stop = np.array(dark, np.int32), np.array(light, np.int32)
    table = (start * (255 - steps) + stop * steps + 127) // 255
    return table.astype(np.uint8)[value]


def vertical(start: int = 0, stop: int = 255) -> Grey:
    """(SIDE, SIDE) uint8 gradient from the top row to the bottom row."""
    column = start + (stop - start) * np.arange(SIDE, dtype=np.int32) // (SIDE - 1)
    return np.repeat(column.astype(np.uint8)[:, None], SIDE, axis=1)


def resized(layer: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The layer as a square of `side` px, between pixels by straight lines."""
    square = cv2.resize(np.ascontiguousarray(layer), (side, side), interpolation=cv2.INTER_LINEAR_EXACT)
    return np.asarray(square, np.uint8)


def blurred(layer: NDArray[np.uint8], sigma: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.GaussianBlur(layer, (0, 0), sigma), np.uint8)


def blend(under: Rgb, over: Rgb, alpha: Grey) -> Rgb:
    """Lay `over` on `under` (h, w, 3 uint8 each) with `alpha` (h, w) uint8."""
    weight = alpha.astype(np.int32)[..., None]
    return ((under * (255 - weight) + over * weight + 127) // 255).astype(np.uint8)


def jitter(rng: np.random.Generator, colour: Colour, amount: int) -> Colour:
    """The same colour, each channel moved by at most `amount`."""
    moved = np.clip(np.array(colour) + rng.integers(-amount, amount + 1, 3), 0, 255)
    return int(moved[0]), int(moved[1]), int(moved[2])


def downsample(picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Average a square picture down to `side` px; its side must be a multiple of `side`."""
    factor = picture.shape[0] // side
    blocks = picture.reshape(side, factor, side, factor, -1).sum(axis=(1, 3), dtype=np.int32)
    small = (blocks + factor * factor // 2) // (factor * factor)
    return small.astype(np.uint8).squeeze()
