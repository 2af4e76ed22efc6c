"""Compute the scores that the store lacks."""

from collections.abc import Sequence

import torch

from spin_bench.case import Case
from spin_bench.groups import Group, groups
from spin_bench.metrics.batch import Batch
from spin_bench.metrics.case_features import CaseFeatures
from spin_bench.metrics.record import CaseMetric
from spin_bench.progress import watched
from spin_bench.run import Run, Unit, units

SCORED_TOGETHER = 64  # images an encoder sees at once, at most


def score(run: Run, chosen: Sequence[Unit] | None = None) -> None:
    """Compute the scores that are missing of the `chosen` units (default: of all): of pictures, then of cases.

    Encoders see the pictures of one case at a time: sums of another batch round differently, and which worker scores
    a case, before or after a kill, is not to change its numbers. A case whose pictures are not all there yet waits.
    """
    run.store.refresh(run.keys.values())
    pairs = [(method, case) for method, case in _pairs(run, chosen) if _finished(run, method, case)]
    _score_pictures(run, pairs)
    _score_cases(run, pairs)


def unscored(run: Run, chosen: Sequence[Unit] | None = None) -> int:
    """How many cases of the `chosen` units lack a score, as far as the store was read."""
    pairs = _pairs(run, chosen)
    return len(_pictures_todo(run, pairs)) + len(_cases_todo(run, pairs))


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


def _pictures_todo(run: Run, pairs: Sequence[tuple[str, Case]]) -> list[tuple[str, Case, list[int], list[str]]]:
    """(method, case, ks, metrics) that have pictures but not every score."""
    found, keys = [], {name: metric.key(run.stack) for name, metric in run.metrics.items()}
    for method, case in pairs:
        known = run.store.scores(run.keys[method], case)
        records = run.store.records(run.keys[method], case, run.samples(method))
        for first in range(0, run.samples(method), SCORED_TOGETHER):
            ks = [k for k in records if first <= k < first + SCORED_TOGETHER]
            missing = [name for name, key in keys.items() if any(k not in known.get(key, {}) for k in ks)]
            if missing:
                found.append((method, case, ks, missing))
    return found


@torch.no_grad()
def _score_pictures(run: Run, pairs: Sequence[tuple[str, Case]]) -> None:
    """All pictures of a case together, case by case: what its metrics read of a case is computed for all methods."""
    place = {case.id: index for index, case in enumerate(run.cases)}
    todo = sorted(_pictures_todo(run, pairs), key=lambda portion: place[portion[1].id])
    about: CaseFeatures | None = None
    for method, case, ks, names in watched(todo, total=len(todo), label="scoring", console=run.console):
        run.stop.check()
        stored = [run.store.get(run.keys[method], case, k) for k in ks]
        pictures = [found[0] for found in stored if found is not None]
        if len(pictures) < len(ks):
            continue  # one is damaged, and will be painted again
        if about is None or about.cases[0] is not case:
            about = CaseFeatures([case], run.stack, run.encoders)
        batch, scores = Batch([case] * len(ks), pictures, run.stack, about), {}
        for name in names:
            values = run.metrics[name].compute(batch).tolist()
            rounded = {k: None if value != value else round(value, 6) for k, value in zip(ks, values, strict=True)}
            scores[run.metrics[name].key(run.stack)] = rounded
        run.store.put_scores(run.keys[method], case, scores)
