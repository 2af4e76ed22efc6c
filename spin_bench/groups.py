"""Which pictures make a row of the table: all of a method's, or the best by its own rank.

Blended Diffusion paints many candidates and ranks them by CLIP; its authors keep the first. The main row is the mean
over all of them, the best one and the best four stand beside it under names of their own.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from spin_bench.case import Case
from spin_bench.run import Run
from spin_bench.store import Record

TOP = (1, 4)  # images kept by rank


@dataclass(frozen=True, eq=False)
class Group:
    """One case of one row."""

    row: str  # the method, or the method and how many of its best
    method: str
    case: Case
    ks: tuple[int, ...]  # images that there are
    records: dict[int, Record]


def groups(run: Run) -> Iterator[Group]:
    """Every case of every row, the method's own row first."""
    for method, key in run.keys.items():
        for case in run.cases:
            records = run.store.records(key, case, run.samples(method))
            yield Group(method, method, case, tuple(sorted(records)), records)
            ranked = image_order(run, method, records)
            for keep in _tops(run, method):
                yield Group(top_name(method, keep), method, case, tuple(ranked[:keep]), records)


def top_name(method: str, keep: int) -> str:
    return f"{method}@top{keep}"


def row_titles(run: Run) -> dict[str, str]:
    """Display names of every row of the run's tables, in order."""
    titles: dict[str, str] = {}
    for name in run.keys:
        titles[name] = run.methods[name].title
        titles |= {top_name(name, keep): f"{titles[name]} top-{keep}" for keep in _tops(run, name)}
    return titles


def image_order(run: Run, method: str, records: dict[int, Record]) -> list[int]:
    """Image numbers, the method's favourite first where it ranks them, else as they were painted."""
    fact = run.methods[method].ranked_by
    return sorted(records, key=lambda k: (records[k].facts.get(fact, 0.0), k))


def _tops(run: Run, method: str) -> tuple[int, ...]:
    return tuple(keep for keep in TOP if keep < run.samples(method)) if run.methods[method].ranked_by else ()
