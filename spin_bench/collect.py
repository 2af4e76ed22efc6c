"""A run's scores and costs as long tables, with the best-ranked images of a method that ranks its own as further rows.

Blended Diffusion paints many candidates and ranks them by CLIP; its authors keep the first. The main row is the mean
over all of them, the best one and the best four stand beside it under names of their own.
"""

import pandas as pd

from spin_bench.identity import derive_seed
from spin_bench.run import Run
from spin_bench.store import Record

TOP = (1, 4)  # images kept by rank


def top_name(method: str, keep: int) -> str:
    return f"{method}@top{keep}"


def row_titles(run: Run) -> dict[str, str]:
    """Display names of every row of the run's tables, in order."""
    titles: dict[str, str] = {}
    for name in run.keys:
        titles[name] = run.methods[name].title
        titles |= {top_name(name, keep): f"{titles[name]} top-{keep}" for keep in _tops(run, name)}
    return titles


def best_image(run: Run, method: str, records: dict[int, Record]) -> int:
    """The image to show of a case: the method's own first choice where it ranks them, else the first."""
    return next(iter(_ranked(run, method, records)), 0)


def _tops(run: Run, method: str) -> tuple[int, ...]:
    return tuple(keep for keep in TOP if keep < run.samples(method)) if run.methods[method].ranked_by else ()


def _ranked(run: Run, method: str, records: dict[int, Record]) -> list[int]:
    """Image numbers, the method's favourite first."""
    fact = run.methods[method].ranked_by
    return sorted(records, key=lambda k: (records[k].facts.get(fact, 0.0), k))


def collect(run: Run) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores (method, case, domain, k, seed, metric, value) and costs (method, case, k, seconds, peak_memory_mb).

    A picture that failed has scores without a value.
    """
    scores, costs = [], []
    for method, key in run.keys.items():
        for case in run.cases:
            known = run.store.scores(key, case)
            records = run.store.records(key, case, run.samples(method))
            ranked = _ranked(run, method, records)
            rows = {method: sorted(records)} | {top_name(method, keep): ranked[:keep] for keep in _tops(run, method)}
            costs += [(method, case.id, k, r.seconds, r.peak_memory_mb) for k, r in records.items()]
            failed = [k for k in range(run.samples(method)) if run.store.failure(key, case, k) is not None]
            seeds = {k: derive_seed(run.settings.base_seed, case.id, k) for k in failed}
            for name, metric in run.metrics.items():
                scores += [(method, case.id, case.domain, k, seeds[k], name, float("nan")) for k in failed]
                values = known.get(metric.key(run.stack), {})
                for row, ks in rows.items():
                    for k in ks:
                        value = values.get(k)
                        number = float("nan") if value is None else value
                        scores.append((row, case.id, case.domain, k, records[k].seed, name, number))
    return (
        pd.DataFrame(scores, columns=["method", "case", "domain", "k", "seed", "metric", "value"]),
        pd.DataFrame(costs, columns=["method", "case", "k", "seconds", "peak_memory_mb"]).astype(
            {"seconds": float, "peak_memory_mb": float}
        ),
    )
