"""Intervals and paired tests, with the case as the unit.

A method paints several images of a case; they are not independent, so they are averaged first and every number below
is over cases. `scores` is a long frame with columns method, case, domain, k, seed, metric, value, one row a score, NaN
where a metric has no value. Rows may come in any order: the result is the same to the last bit.
"""

import math
import warnings
from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from spin_bench.core.errors import UserError
from spin_bench.statistics.bootstrap import bootstrap_intervals

KEY = ["method", "case", "k", "seed", "metric"]  # names one score
SUMMARY = ["method", "metric", "mean", "lo", "hi", "n", "missing"]
PAIRS = ["method_a", "method_b", "metric", "diff", "lo", "hi", "p", "p_holm", "win_rate", "n", "effect"]


def per_case(
    scores: pd.DataFrame, *, methods: Sequence[str] | None = None, metrics: Sequence[str] | None = None
) -> pd.DataFrame:
    """Average the images of each case: one column `value`, indexed by (method, metric, case).

    Every method has a row for every metric and for every case that any method was scored on; the value is NaN if no
    image has one. `methods` and `metrics` choose and order the rows (default: all, sorted). A score that is given twice
    or is infinite is a `UserError`.
    """
    scores = scores.astype({"method": str, "metric": str, "case": str, "value": float})
    _check(scores)
    axes = [
        sorted(scores["method"].unique()) if methods is None else list(methods),
        sorted(scores["metric"].unique()) if metrics is None else list(metrics),
        sorted(scores["case"].unique()),
    ]
    levels = ["method", "metric", "case"]
    # a sum of floats depends on their order, so the order is fixed before anything is added up
    means = scores.sort_values(KEY).groupby(levels)["value"].mean()
    return means.reindex(pd.MultiIndex.from_product(axes, names=levels)).to_frame()


def summarise(
    scores: pd.DataFrame, *, methods: Sequence[str] | None = None, metrics: Sequence[str] | None = None
) -> pd.DataFrame:
    """Average over cases, with an interval: columns `SUMMARY`, a row for every method and metric.

    `n` counts the cases with a value and `missing` those without, among all cases of `scores`.
    """
    return summarise_cases(per_case(scores, methods=methods, metrics=metrics))


def summarise_cases(values: pd.DataFrame) -> pd.DataFrame:
    """Do the same with the values of cases as `per_case` returns them, or with differences of two such frames."""
    cells = _by_cell(values)
    rows = []
    for ((method, metric), cases), interval in zip(cells.items(), bootstrap_intervals([*cells.values()]), strict=True):
        known = cases[~np.isnan(cases)]
        mean = float(known.mean()) if len(known) else math.nan
        rows.append((method, metric, mean, *interval, len(known), len(cases) - len(known)))
    return pd.DataFrame(rows, columns=SUMMARY)


def compare(
    scores: pd.DataFrame, *, methods: Sequence[str] | None = None, metrics: Sequence[str] | None = None
) -> pd.DataFrame:
    """Compare every unordered pair of methods on the cases both have: columns `PAIRS`, metric by metric.

    `diff` is the mean of a - b with its BCa interval, `p` is Wilcoxon's signed-rank test (two-sided), `p_holm` its
    correction over all pairs of the metric, and `win_rate` the share of cases where a is numerically larger, ties
    counting half. `effect` is the matched-pairs rank-biserial correlation. Without a shared case all of them are NaN.
    """
    values = _by_cell(per_case(scores, methods=methods, metrics=metrics))
    pairs = list(combinations(dict.fromkeys(method for method, _ in values), 2))
    metrics = list(dict.fromkeys(metric for _, metric in values))
    diffs = {(metric, a, b): values[a, metric] - values[b, metric] for metric in metrics for a, b in pairs}
    intervals = dict(zip(diffs, bootstrap_intervals([*diffs.values()]), strict=True))
    rows = []
    for metric in metrics:
        tests = [_paired(diffs[metric, a, b], intervals[metric, a, b]) for a, b in pairs]
        corrected = _holm(np.array([p for *_, p, _, _, _ in tests]))
        for (a, b), (diff, lo, hi, p, win_rate, n, effect), p_holm in zip(pairs, tests, corrected, strict=True):
            rows.append((a, b, metric, diff, lo, hi, p, p_holm, win_rate, n, effect))
    return pd.DataFrame(rows, columns=PAIRS)


def _check(scores: pd.DataFrame) -> None:
    for wrong, what in ((scores.duplicated(KEY), "given twice"), (np.isinf(scores["value"]), "infinite")):
        if wrong.any():
            first = scores[wrong].sort_values(KEY).iloc[0]
            where = ", ".join(f"{column} {first[column]}" for column in KEY)
            raise UserError(f"{int(wrong.sum())} scores are {what}, the first at {where}")


def _by_cell(table: pd.DataFrame) -> dict[tuple[str, str], NDArray[np.float64]]:
    """What `per_case` returned as (method, metric) -> values (cases,), the cases of all in the same order."""
    cells = table["value"].groupby(level=["method", "metric"], sort=False)
    return {(method, metric): values.to_numpy() for (method, metric), values in cells}


def rank_biserial(diffs: NDArray[np.float64]) -> float:
    """Return the share of Wilcoxon's rank sum above 0 minus that below, in [-1, 1]; 0 without any sign.

    It is the effect size of the test beside it (Kerby 2014): zeros are left out, equal sizes share their ranks.
    """
    diffs = diffs[diffs != 0]
    if len(diffs) == 0:
        return 0.0
    ranks = stats.rankdata(np.abs(diffs))
    return float((ranks * np.sign(diffs)).sum() / ranks.sum())


def _paired(
    diffs: NDArray[np.float64], interval: tuple[float, float]
) -> tuple[float, float, float, float, float, int, float]:
    """Mean, its interval, p, win rate of differences (cases,), how many of them are not NaN, and their effect size."""
    diffs = diffs[~np.isnan(diffs)]
    if len(diffs) == 0:
        return math.nan, math.nan, math.nan, math.nan, math.nan, 0, math.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on samples too small for the normal approximation
        p = float(stats.wilcoxon(diffs).pvalue) if diffs.any() else 1.0
    wins = float(np.mean((diffs > 0) + 0.5 * (diffs == 0)))
    return float(diffs.mean()), *interval, p, wins, len(diffs), rank_biserial(diffs)


def _holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Holm's step-down correction over the p-values (pairs,) that are not NaN.

    As statsmodels' `multipletests`, which collects all garbage of the process first: a second a metric.
    """
    order = np.argsort(p)[: int((~np.isnan(p)).sum())]  # NaNs are sorted last
    corrected = np.full_like(p, math.nan)
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)), 1)
    return corrected
