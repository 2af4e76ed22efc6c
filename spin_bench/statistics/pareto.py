"""Which points no other point beats."""

import numpy as np
from numpy.typing import ArrayLike


def pareto_front(x: ArrayLike, y: ArrayLike, *, higher_x: bool, higher_y: bool) -> list[int]:
    """Find the points (n,) that no other point beats: their positions, by ascending x.

    A point is off it where another one is at least as good at both ends and better at one. Equal points are on the
    front together; a point with a NaN never is.
    """
    points = np.stack([np.asarray(x, float) * (1 if higher_x else -1), np.asarray(y, float) * (1 if higher_y else -1)])
    as_good = (points[:, :, None] >= points[:, None, :]).all(0)  # [i, j]: i is at least as good as j at both
    better = (points[:, :, None] > points[:, None, :]).any(0)
    on_front = ~(as_good & better).any(0) & ~np.isnan(points).any(0)
    order = np.argsort(np.asarray(x, float), kind="stable")
    return [int(i) for i in order if on_front[i]]
