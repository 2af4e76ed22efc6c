"""Compute the scores that the store lacks."""

import torch

from spin_bench.case import Case
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


@torch.no_grad()
def score(run: Run) -> None:
    """Compute the scores that are missing, `SCORED_TOGETHER` images at a time."""
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
