"""The patterns an individual can wear, each a (side, side) uint8 cover in {0, 255}; integer geometry.

Periods are a fifth of the side and more: finer ones break up in the painting filter and drown in the cartoon's ink.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from spin_bench.mini.raster import Grey, Integers, resized

Pattern = Callable[[int, int], Grey]  # of the side and of which layout


def _grid(side: int, layout: int) -> tuple[Integers, Integers]:
    """Rows and columns, moved by the layout."""
    y, x = np.mgrid[0:side, 0:side].astype(np.int64)
    return y + layout * 7, x + layout * 13


def _cover(where: NDArray[np.bool_]) -> Grey:
    return (where * 255).astype(np.uint8)


def plain(side: int, layout: int) -> Grey:
    return np.zeros((side, side), np.uint8)


def striped(side: int, layout: int) -> Grey:
    """Slanting stripes, a little thinner than the gaps."""
    y, x = _grid(side, layout)
    period = side * 31 // 100
    return _cover((x + y) % period < period * 42 // 100)


def dotted(side: int, layout: int) -> Grey:
    """Round dots, every other row moved by half a period."""
    y, x = _grid(side, layout)
    period = side // 5
    row = y // period
    dx, dy = (x + row % 2 * (period // 2)) % period - period // 2, y % period - period // 2
    return _cover(dx**2 + dy**2 < (period * 34 // 100) ** 2)


def checked(side: int, layout: int) -> Grey:
    y, x = _grid(side, layout)
    square = side // 7
    return _cover((x // square + y // square) % 2 == 1)


def patched(side: int, layout: int) -> Grey:
    """A few large blots, like a cow's."""
    rng = np.random.Generator(np.random.PCG64([8, layout]))
    lattice = rng.integers(0, 256, (6, 6), dtype=np.uint8)
    smooth = resized(lattice, side)
    return _cover(smooth > np.sort(smooth, axis=None)[smooth.size * 62 // 100])


PATTERNS: dict[str, Pattern] = {
    "plain": plain,
    "striped": striped,
    "dotted": dotted,
    "checked": checked,
    "patched": patched,
}
