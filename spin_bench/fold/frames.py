"""A run's scores and costs as long tables."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from spin_bench.core.identity import derive_seed
from spin_bench.methods.painter import SHARED_SECONDS
from spin_bench.run.outside import OutsideSettings
from spin_bench.run.prepare import Run
from spin_bench.run.selection import Selection, selections

SCORES = ["method", "case", "domain", "k", "seed", "metric", "value"]
COSTS = ["method", "case", "k", "seconds", "peak_memory_mb"]


def collect(run: Run) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Columns `SCORES` and `COSTS`; a picture made elsewhere has no cost.

    A picture that failed has scores without a value, and so have all pictures of an entry that is unusable.
    """
    scores: list[tuple[Any, ...]] = []
    costs: list[tuple[Any, ...]] = []
    for one in selections(run):
        scores += [(one.row, one.case.id, one.case.domain, *score) for score in _scores(run, one)]
        if one.row == one.method and run.methods[one.method].settings is not OutsideSettings:
            costs += _costs(one)
    for method in run.keys:
        for entry in run.unusable:
            scores += [(method, entry.id, entry.domain, *score) for score in _no_scores(run, method, entry.id)]
    return (
        pd.DataFrame(scores, columns=SCORES),
        pd.DataFrame(costs, columns=COSTS).astype({"seconds": float, "peak_memory_mb": float}),
    )


def _costs(one: Selection) -> list[tuple[str, str, int, float, float | None]]:
    """(method, case, k, seconds, peak memory) of every image, each with its part of what was done once for all."""
    return [
        (one.row, one.case.id, k, r.seconds + r.facts.get(SHARED_SECONDS, 0) / len(one.records), r.peak_memory_mb)
        for k, r in one.records.items()
    ]


def _scores(run: Run, one: Selection) -> Iterator[tuple[int, int, str, float]]:
    """(k, seed, metric, value) of a row's case; a metric of the whole case stands at its first image."""
    key = run.keys[one.method]
    known = run.store.scores(key, one.case)
    seeds = {k: one.records[k].seed for k in one.ks}
    if one.row == one.method:
        for k in range(run.samples(one.method)):
            if k not in one.records and run.store.failure(key, one.case, k) is not None:
                seeds[k] = derive_seed(run.settings.base_seed, one.case.id, k)
    for name, metric in run.metrics.items():
        values = known.get(metric.key(run.stack), {})
        for k, seed in seeds.items():
            yield k, seed, name, _number(values.get(k) if k in one.records else None)
    for name, of_case in run.case_metrics.items():
        value = known.get(of_case.group_key(run.stack, one.ks), {}).get(0)
        for k, seed in list(seeds.items())[:1]:
            yield k, seed, name, _number(value)


def _no_scores(run: Run, method: str, case: str) -> Iterator[tuple[int, int, str, float]]:
    """As `_scores`, of a case that cannot be painted at all."""
    for name in run.settings.metrics:
        for k in range(run.samples(method) if name in run.metrics else 1):
            yield k, derive_seed(run.settings.base_seed, case, k), name, float("nan")


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
