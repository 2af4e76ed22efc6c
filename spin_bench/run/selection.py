"""Which pictures make a row of the table: all of a method's, a few of them, or the best by a rank.

Methods paint 32 images of a case or 4, and the best of many is better than the best of few. So the main row is always
the mean over all of them, and whatever chooses among them stands beside it under a name of its own: `@k4` the first
four of more (seeds do not know each other, so these are four at random), `@top1` and `@top4` the best by the method's
own rank where its authors use one, `@best4` the best of the first four by the metric that `best_by` names.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from spin_bench.core.case import Case
from spin_bench.run.prepare import Run
from spin_bench.store import Record

TOP = (1, 4)  # images kept by the method's own rank
FEW = 4  # images of those that paint more, to set beside those that paint as many


@dataclass(frozen=True, eq=False)
class Selection:
    """The images of one case that one row of the table is made from."""

    row: str  # the method, or the method and how many of its best
    method: str
    case: Case
    ks: tuple[int, ...]  # images that there are
    records: dict[int, Record]


def selections(run: Run) -> Iterator[Selection]:
    """Every case of every row, the method's own row first."""
    for task in run.tasks():
        records = run.records(task)
        yield Selection(task.method, task.method, task.case, tuple(sorted(records)), records)
        for variant, ks in _selected(run, task.method, task.case, records).items():
            yield Selection(f"{task.method}@{variant}", task.method, task.case, ks, records)


def row_titles(run: Run) -> dict[str, str]:
    """Display names of every row of the run's tables, in order."""
    titles: dict[str, str] = {}
    for name in run.keys:
        titles[name] = run.methods[name].title
        titles |= {f"{name}@{variant}": f"{titles[name]} {title}" for variant, title in _variants(run, name).items()}
    return titles


def image_order(run: Run, method: str, records: dict[int, Record]) -> list[int]:
    """Image numbers, the method's favourite first where it ranks them, else as they were painted."""
    fact = run.methods[method].ranked_by
    return sorted(records, key=lambda k: (records[k].facts.get(fact, 0.0), k))


def _variants(run: Run, method: str) -> dict[str, str]:
    """Rows beside the method's own: name after the @ -> words after its title."""
    samples, few = run.samples(method), run.settings.samples
    titles = {f"k{FEW}": f"k={FEW}"} if samples > FEW == few else {}
    if run.methods[method].ranked_by:
        titles |= {f"top{keep}": f"top-{keep}" for keep in TOP if keep < samples}
    if run.settings.best_by and 1 < few <= samples:
        titles[f"best{few}"] = f"best of {few} by {run.metrics[run.settings.best_by].title}"
    return titles


def _selected(run: Run, method: str, case: Case, records: dict[int, Record]) -> dict[str, tuple[int, ...]]:
    """Images of each variant, by what stands after the @."""
    ranked, few = image_order(run, method, records), run.settings.samples
    ks = {f"k{FEW}": tuple(k for k in sorted(records) if k < FEW)}
    ks |= {f"top{keep}": tuple(ranked[:keep]) for keep in TOP}
    variants = _variants(run, method)
    if f"best{few}" in variants:
        ks[f"best{few}"] = _best(run, method, case, [k for k in sorted(records) if k < few])
    return {variant: ks[variant] for variant in variants}


def _best(run: Run, method: str, case: Case, ks: list[int]) -> tuple[int, ...]:
    """The one of `ks` with the best score by `best_by`; none where none has a score."""
    metric = run.metrics[run.settings.best_by]
    known = run.store.scores(run.keys[method], case).get(metric.key(run.stack), {})
    values = {k: value for k in ks if (value := known.get(k)) is not None}
    sign = 1 if metric.higher_is_better else -1
    return tuple(sorted(values, key=lambda k: (-sign * values[k], k))[:1])
