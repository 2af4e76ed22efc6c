"""BCa bootstrap intervals of means (Efron 1987), many at once: samples of one size share their draws."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

Array = NDArray[np.float64]
TOGETHER = 256  # samples whose drawn means are held at once
ROUNDING = 1e-12  # relative: two means that are closer are equal


def bootstrap_intervals(
    samples: Sequence[ArrayLike], *, level: float = 0.95, draws: int = 10_000, seed: int = 0
) -> list[tuple[float, float]]:
    """Bound the mean of each sample by an interval (lo, hi); NaNs are left out, the rest (n,) is finite.

    An interval does not depend on the other samples. Fewer than two values have none (NaN, NaN); equal values have
    (value, value). Where BCa is undefined (values that differ by rounding only) it is the percentile interval.
    """
    intervals = [(math.nan, math.nan)] * len(samples)
    by_size: dict[int, list[tuple[int, Array]]] = {}
    for i, values in enumerate(samples):
        sample = np.asarray(values, dtype=float)
        sample = sample[~np.isnan(sample)]
        if len(sample) >= 2 and np.ptp(sample) == 0:
            intervals[i] = float(sample[0]), float(sample[0])
        elif len(sample) >= 2:
            by_size.setdefault(len(sample), []).append((i, sample))
    for n, group in by_size.items():
        weights = _weights(n, draws, seed)
        for first in range(0, len(group), TOGETHER):
            some = group[first : first + TOGETHER]
            drawn = np.stack([sample for _, sample in some]) @ weights  # (samples, draws): the means
            for (i, sample), means in zip(some, drawn, strict=True):
                intervals[i] = _bca(sample, means, level)
    return intervals


def _weights(n: int, draws: int, seed: int) -> Array:
    """(n, draws): the share of each value in each sample drawn with replacement."""
    picked = np.random.default_rng(seed).integers(0, n, (draws, n))
    cells = picked + n * np.arange(draws)[:, None]
    return np.bincount(cells.ravel(), minlength=n * draws).reshape(draws, n).T / n


def _bca(sample: Array, means: Array, level: float) -> tuple[float, float]:
    """The interval from a sample (n,) and the means (draws,) of samples drawn from it."""
    mean, tail = sample.mean(), (1 - level) / 2
    equal = np.abs(means - mean) <= ROUNDING * np.abs(sample).max()
    bias = ndtri(np.mean((means < mean) & ~equal) + np.mean(equal) / 2)
    pulls = sample - mean  # of each value on the mean, but for a factor: the jackknife of a mean
    spread = (pulls**2).sum() ** 1.5
    acceleration = (pulls**3).sum() / spread / 6 if spread > 0 else math.nan
    shifted = bias + np.array([ndtri(tail), -ndtri(tail)])
    ends = ndtr(bias + shifted / (1 - acceleration * shifted))
    if not np.isfinite(ends).all():
        ends = np.array([tail, 1 - tail])
    lo, hi = np.quantile(means, ends)
    return float(lo), float(hi)
