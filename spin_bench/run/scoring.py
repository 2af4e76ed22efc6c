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
from spin_bench.run.plan import Unit, units
from spin_bench.run.prepare import Run, Task
from spin_bench.run.selection import Selection, selections


@dataclass(frozen=True)
class Unscored:
    """A picture in the store, and the metrics it lacks."""

    method: str
    case: Case
    k: int
    metrics: tuple[str, ...]


def score(run: Run, share: Sequence[Unit] | None = None) -> None:
    """Compute the scores that are missing of the units in `share` (default: of all): of pictures, then of cases.

    A case whose pictures are not all there yet waits.
    """
    run.store.refresh(run.keys.values())
    tasks = [task for task in _tasks(run, share) if _is_finished(run, task)]
    _score_pictures(run, tasks)
    _score_cases(run, tasks)


def unscored(run: Run, share: Sequence[Unit] | None = None) -> int:
    """How many cases of the units in `share` lack a score, as far as the store was read."""
    tasks = _tasks(run, share)
    return len({(item.method, item.case.id) for item in _unscored_pictures(run, tasks)}) + len(
        _unscored_cases(run, tasks)
    )


def _tasks(run: Run, share: Sequence[Unit] | None) -> list[Task]:
    work_units = units(run) if share is None else share
    return [run.task(unit.method, run.cases[index]) for unit in work_units for index in unit.cases]


def _is_finished(run: Run, task: Task) -> bool:
    """Every picture is there, or is known to have failed."""
    store, key, case = run.store, task.key, task.case
    return all(store.record(key, case, k) or store.failure(key, case, k) for k in task.ks)


def _unscored_cases(run: Run, tasks: Sequence[Task]) -> list[tuple[Selection, CaseMetric]]:
    """The cases of each row, with the metrics of whole cases that they lack."""
    if not run.case_metrics:
        return []
    wanted = {(task.method, task.case.id) for task in tasks}
    todo = []
    for one in selections(run):
        known = run.store.scores(run.keys[one.method], one.case)
        for metric in run.case_metrics.values():
            if one.ks and metric.group_key(run.stack, one.ks) not in known:
                todo.append((one, metric))
    return [(one, metric) for one, metric in todo if (one.method, one.case.id) in wanted]


@torch.no_grad()
def _score_cases(run: Run, tasks: Sequence[Task]) -> None:
    """Metrics of all pictures of a case; each row of the table has a score of its own pictures."""
    todo = _unscored_cases(run, tasks)
    for one, metric in watched(todo, total=len(todo), label="scoring cases", console=run.console):
        run.stop.check()
        key, case = run.keys[one.method], one.case
        stored = [run.store.get(key, case, k) for k in one.ks]
        pictures = [picture for picture, _ in filter(None, stored)]
        if len(pictures) < len(one.ks):
            continue  # one is damaged, and will be painted again
        value = metric.compute(Batch([case] * len(pictures), pictures, run.stack))
        scores: dict[int, float | None] = {0: None if value != value else round(value, 6)}
        run.store.put_scores(key, case, {metric.group_key(run.stack, one.ks): scores}, of=one.ks)


def _unscored_pictures(run: Run, tasks: Sequence[Task]) -> list[Unscored]:
    """The pictures that are there, with the metrics that they lack."""
    keys = {name: metric.key(run.stack) for name, metric in run.metrics.items()}
    todo = []
    for task in tasks:
        known = run.store.scores(task.key, task.case)
        for k in run.records(task):
            missing = tuple(name for name, key in keys.items() if k not in known.get(key, {}))
            if missing:
                todo.append(Unscored(task.method, task.case, k, missing))
    return todo


def _batches(todo: Sequence[Unscored], cases: Sequence[Case]) -> Iterator[tuple[Sequence[Case], Sequence[Unscored]]]:
    """Pictures to score together, which lack the same metrics; a few cases at a time, with all methods' pictures."""
    waiting = {item.case.id for item in todo}
    for some in portions([case for case in cases if case.id in waiting]):
        ids = {case.id for case in some}
        items = [item for item in todo if item.case.id in ids]
        for metrics in dict.fromkeys(item.metrics for item in items):
            for alike in portions([item for item in items if item.metrics == metrics]):
                yield some, alike


def _size(batch: tuple[Sequence[Case], Sequence[Unscored]]) -> int:
    return len(batch[1])


@torch.no_grad()
def _score_pictures(run: Run, tasks: Sequence[Task]) -> None:
    """What metrics read of a case is computed once for all methods, and forgotten with the next few cases."""
    todo = _unscored_pictures(run, tasks)
    about: CaseFeatures | None = None
    batches = watched(_batches(todo, run.cases), _size, total=len(todo), label="scoring", console=run.console)
    for cases, items in batches:
        run.stop.check()
        stored = [(item, run.store.get(run.keys[item.method], item.case, item.k)) for item in items]
        there = [(item, picture[0]) for item, picture in stored if picture is not None]
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
