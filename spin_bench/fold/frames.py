"""A run's scores and costs as long tables."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from spin_bench.core.identity import derive_seed
from spin_bench.methods.painter import SHARED_SECONDS
from spin_bench.run.groups import Group, groups
from spin_bench.run.outside import OutsideSettings
from spin_bench.run.run import Run

SCORES = ["method", "case", "domain", "k", "seed", "metric", "value"]
COSTS = ["method", "case", "k", "seconds", "peak_memory_mb"]


def collect(run: Run) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Columns `SCORES` and `COSTS`; a picture that failed has scores without a value, one made elsewhere no cost."""
    scores: list[tuple[Any, ...]] = []
    costs: list[tuple[Any, ...]] = []
    for group in groups(run):
        scores += [(group.row, group.case.id, group.case.domain, *score) for score in _scores(run, group)]
        if group.row == group.method and run.methods[group.method].settings is not OutsideSettings:
            costs += _costs(group)
    return (
        pd.DataFrame(scores, columns=SCORES),
        pd.DataFrame(costs, columns=COSTS).astype({"seconds": float, "peak_memory_mb": float}),
    )


def _costs(group: Group) -> list[tuple[str, str, int, float, float | None]]:
    """(method, case, k, seconds, peak memory) of every image, each with its part of what was done once for all."""
    return [
        (group.row, group.case.id, k, r.seconds + r.facts.get(SHARED_SECONDS, 0) / len(group.records), r.peak_memory_mb)
        for k, r in group.records.items()
    ]


def _scores(run: Run, group: Group) -> Iterator[tuple[int, int, str, float]]:
    """(k, seed, metric, value) of a group; a metric of the whole case stands at its first image."""
    key = run.keys[group.method]
    known = run.store.scores(key, group.case)
    seeds = {k: group.records[k].seed for k in group.ks}
    if group.row == group.method:
        for k in range(run.samples(group.method)):
            if k not in group.records and run.store.failure(key, group.case, k) is not None:
                seeds[k] = derive_seed(run.settings.base_seed, group.case.id, k)
    for name, metric in run.metrics.items():
        values = known.get(metric.key(run.stack), {})
        for k, seed in seeds.items():
            yield k, seed, name, _number(values.get(k) if k in group.records else None)
    for name, of_case in run.case_metrics.items():
        value = known.get(of_case.group_key(run.stack, group.ks), {}).get(0)
        for k, seed in list(seeds.items())[:1]:
            yield k, seed, name, _number(value)


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
