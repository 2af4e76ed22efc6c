"""Compute the scores that the store lacks."""

import torch

from spin_bench.case import Case
from spin_bench.groups import groups
from spin_bench.metrics.batch import Batch
from spin_bench.progress import watched
from spin_bench.run import Run

SCORED_TOGETHER = 64  # images an encoder sees at once


def _unscored(run: Run) -> list[tuple[str, Case, list[int], list[str]]]:
    """(method, case, ks, metrics) that have pictures but not every score."""
    found = []
    for method, key in run.keys.items():
        for case in run.cases:
            known = run.store.scores(key, case)
            ks = run.store.records(key, case, run.samples(method))
            missing = [
                name
                for name, metric in run.metrics.items()
                if any(k not in known.get(metric.key(run.stack), {}) for k in ks)
            ]
            if missing:
                found.append((method, case, list(ks), missing))
    return found


def score(run: Run) -> None:
    """Compute the scores that are missing: of pictures, then of cases."""
    _score_pictures(run)
    _score_cases(run)


@torch.no_grad()
def _score_cases(run: Run) -> None:
    """Metrics of all pictures of a case; each row of the table has a score of its own pictures."""
    todo = []
    for group in groups(run):
        known = run.store.scores(run.keys[group.method], group.case)
        for metric in run.case_metrics.values():
            if group.ks and metric.group_key(run.stack, group.ks) not in known:
                todo.append((group, metric))
    for group, metric in watched(todo, total=len(todo), label="scoring cases", console=run.console):
        key, case = run.keys[group.method], group.case
        stored = [run.store.get(key, case, k) for k in group.ks]
        pictures = [found[0] for found in stored if found is not None]
        value = metric.compute(Batch([case] * len(pictures), pictures, run.stack))
        scores: dict[int, float | None] = {0: None if value != value else round(value, 6)}
        run.store.put_scores(key, case, {metric.group_key(run.stack, group.ks): scores})


@torch.no_grad()
def _score_pictures(run: Run) -> None:
    """`SCORED_TOGETHER` images at a time."""
    todo = _unscored(run)
    size = max(1, SCORED_TOGETHER // max(1, run.settings.samples))
    groups = [todo[i : i + size] for i in range(0, len(todo), size)]
    for group in watched(groups, total=len(groups), label="scoring", console=run.console):
        owners, pictures = [], []
        for method, case, ks, _ in group:
            for k in ks:
                stored = run.store.get(run.keys[method], case, k)
                if stored is not None:
                    owners.append((method, case, k))
                    pictures.append(stored[0])
        if not owners:
            continue
        batch = Batch([case for _, case, _ in owners], pictures, run.stack)
        wanted = {name for *_, names in group for name in names}
        values = {name: run.metrics[name].compute(batch).tolist() for name in run.metrics if name in wanted}
        for method, case, _, names in group:
            mine = [(i, k) for i, (m, c, k) in enumerate(owners) if m == method and c is case]
            scores = {
                run.metrics[name].key(run.stack): {
                    k: None if values[name][i] != values[name][i] else round(values[name][i], 6) for i, k in mine
                }
                for name in names
            }
            run.store.put_scores(run.keys[method], case, scores)
