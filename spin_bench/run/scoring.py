"""Compute the scores that the store lacks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from PIL.Image import Image
from torch import Tensor

from spin_bench.core.case import Case
from spin_bench.core.progress import watched
from spin_bench.metrics.batch import Batch
from spin_bench.metrics.case_features import CaseFeatures, padded, portions
from spin_bench.metrics.metric import CaseMetric, Metric
from spin_bench.run.groups import Group, groups
from spin_bench.run.run import Run, Unit, units


@dataclass(frozen=True)
class Unscored:
    """A picture in the store, and the metrics it lacks."""

    method: str
    case: Case
    k: int
    metrics: tuple[str, ...]


def score(run: Run, chosen: Sequence[Unit] | None = None) -> None:
    """Compute the scores that are missing of the `chosen` units (default: of all): of pictures, then of cases.

    A case whose pictures are not all there yet waits.
    """
    run.store.refresh(run.keys.values())
    pairs = [(method, case) for method, case in _pairs(run, chosen) if _finished(run, method, case)]
    _score_pictures(run, pairs)
    _score_cases(run, pairs)


def unscored(run: Run, chosen: Sequence[Unit] | None = None) -> int:
    """How many cases of the `chosen` units lack a score, as far as the store was read."""
    pairs = _pairs(run, chosen)
    return len({(item.method, item.case.id) for item in _pictures_todo(run, pairs)}) + len(_cases_todo(run, pairs))


def _pairs(run: Run, chosen: Sequence[Unit] | None) -> list[tuple[str, Case]]:
    found = units(run) if chosen is None else chosen
    return [(unit.method, run.cases[index]) for unit in found for index in unit.cases]


def _finished(run: Run, method: str, case: Case) -> bool:
    """Every picture is there, or is known to have failed."""
    key, ks = run.keys[method], range(run.samples(method))
    return all(run.store.record(key, case, k) or run.store.failure(key, case, k) for k in ks)


def _cases_todo(run: Run, pairs: Sequence[tuple[str, Case]]) -> list[tuple[Group, CaseMetric]]:
    """Groups of pictures, and the metrics of whole groups that they lack."""
    if not run.case_metrics:
        return []
    wanted = {(method, case.id) for method, case in pairs}
    todo = []
    for group in groups(run):
        known = run.store.scores(run.keys[group.method], group.case)
        for metric in run.case_metrics.values():
            if group.ks and metric.group_key(run.stack, group.ks) not in known:
                todo.append((group, metric))
    return [(group, metric) for group, metric in todo if (group.method, group.case.id) in wanted]


@torch.no_grad()
def _score_cases(run: Run, pairs: Sequence[tuple[str, Case]]) -> None:
    """Metrics of all pictures of a case; each row of the table has a score of its own pictures."""
    todo = _cases_todo(run, pairs)
    for group, metric in watched(todo, total=len(todo), label="scoring cases", console=run.console):
        run.stop.check()
        key, case = run.keys[group.method], group.case
        stored = [run.store.get(key, case, k) for k in group.ks]
        pictures = [found[0] for found in stored if found is not None]
        if len(pictures) < len(group.ks):
            continue  # one is damaged, and will be painted again
        value = metric.compute(Batch([case] * len(pictures), pictures, run.stack))
        scores: dict[int, float | None] = {0: None if value != value else round(value, 6)}
        run.store.put_scores(key, case, {metric.group_key(run.stack, group.ks): scores}, of=group.ks)


def _pictures_todo(run: Run, pairs: Sequence[tuple[str, Case]]) -> list[Unscored]:
    found, keys = [], {name: metric.key(run.stack) for name, metric in run.metrics.items()}
    for method, case in pairs:
        known = run.store.scores(run.keys[method], case)
        for k in run.store.records(run.keys[method], case, run.samples(method)):
            missing = tuple(name for name, key in keys.items() if k not in known.get(key, {}))
            if missing:
                found.append(Unscored(method, case, k, missing))
    return found


def _batches(todo: Sequence[Unscored], cases: Sequence[Case]) -> Iterator[tuple[Sequence[Case], Sequence[Unscored]]]:
    """Pictures to score together, which lack the same metrics; a few cases at a time, with all methods' pictures."""
    waiting = {item.case.id for item in todo}
    for some in portions([case for case in cases if case.id in waiting]):
        ids = {case.id for case in some}
        items = [item for item in todo if item.case.id in ids]
        for metrics in dict.fromkeys(item.metrics for item in items):
            for alike in portions([item for item in items if item.metrics == metrics]):
                yield some, alike


@torch.no_grad()
def _score_pictures(run: Run, pairs: Sequence[tuple[str, Case]]) -> None:
    """What metrics read of a case is computed once for all methods, and forgotten with the next few cases."""
    batches = list(_batches(_pictures_todo(run, pairs), run.cases))
    about: CaseFeatures | None = None
    for cases, items in watched(batches, total=len(batches), label="scoring", console=run.console):
        run.stop.check()
        stored = [(item, run.store.get(run.keys[item.method], item.case, item.k)) for item in items]
        there = [(item, found[0]) for item, found in stored if found is not None]
        if not there:
            continue  # damaged, and will be painted again
        if about is None or about.cases is not cases:
            about = CaseFeatures(cases, run.stack, run.encoders)
        metrics = [run.metrics[name] for name in items[0].metrics]
        values = computed(metrics, [item.case for item, _ in there], [picture for _, picture in there], about)
        rows = enumerate(item for item, _ in there)
        for (method, _), some in groupby(rows, key=lambda row: (row[1].method, row[1].case.id)):
            own = list(some)
            scores = {m.key(run.stack): {item.k: _stored(values[m.name][n]) for n, item in own} for m in metrics}
            run.store.put_scores(run.keys[method], own[0][1].case, scores)


def computed(
    metrics: Sequence[Metric], cases: Sequence[Case], pictures: Sequence[Image], about: CaseFeatures
) -> dict[str, Tensor]:
    """Every metric's values of at most TOGETHER pictures painted for `cases`, all of which `about` knows: (n,) each."""
    batch = Batch(padded(cases), padded(pictures), about.stack, about)
    return {metric.name: metric.compute(batch)[: len(pictures)] for metric in metrics}


def _stored(value: Tensor) -> float | None:
    return None if value.isnan() else round(value.item(), 6)
