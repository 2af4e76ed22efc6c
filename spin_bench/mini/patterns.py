"""The patterns an individual can wear, each a (side, side) uint8 cover in {0, 255}; integer geometry.

Periods are a fifth of the side and more: finer ones break up in the painting filter and drown in the cartoon's ink.
"""

from collections.abc import Callable

import cv2
import numpy as np

Pattern = Callable[[int, int], np.ndarray]  # of the side and of which layout


def _grid(side: int, layout: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns, moved by the layout."""
    y, x = np.mgrid[0:side, 0:side].astype(np.int64)
    return y + layout * 7, x + layout * 13


def _cover(where: np.ndarray) -> np.ndarray:
    return (where * 255).astype(np.uint8)


def plain(side: int, layout: int) -> np.ndarray:
    return np.zeros((side, side), np.uint8)


def striped(side: int, layout: int) -> np.ndarray:
    """Slanting stripes, a little thinner than the gaps."""
    y, x = _grid(side, layout)
    period = side * 31 // 100
    return _cover((x + y) % period < period * 42 // 100)


def dotted(side: int, layout: int) -> np.ndarray:
    """Round dots, every other row moved by half a period."""
    y, x = _grid(side, layout)
    period = side // 5
    row = y // period
    dx, dy = (x + row % 2 * (period // 2)) % period - period // 2, y % period - period // 2
    return _cover(dx**2 + dy**2 < (period * 34 // 100) ** 2)


def checked(side: int, layout: int) -> np.ndarray:
    y, x = _grid(side, layout)
    square = side // 7
    return _cover((x // square + y // square) % 2 == 1)


def patched(side: int, layout: int) -> np.ndarray:
    """A few large blots, like a cow's."""
    rng = np.random.Generator(np.random.PCG64([8, layout]))
    lattice = rng.integers(0, 256, (6, 6), dtype=np.uint8)
    smooth = cv2.resize(lattice, (side, side), interpolation=cv2.INTER_LINEAR_EXACT)
    return _cover(smooth > np.sort(smooth, axis=None)[smooth.size * 62 // 100])


PATTERNS: dict[str, Pattern] = {
    "plain": plain,
    "striped": striped,
    "dotted": dotted,
    "checked": checked,
    "patched": patched,
}
