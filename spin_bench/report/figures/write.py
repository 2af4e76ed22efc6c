"""The figures of a results folder."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from spin_bench.core.metric_record import MetricRecord
from spin_bench.report.figures.bars import bars
from spin_bench.report.figures.forest import forest
from spin_bench.report.figures.slopes import slopes
from spin_bench.report.figures.style import write_figure
from spin_bench.report.figures.tradeoff import cost_tradeoff, metric_tradeoff
from spin_bench.report.legend import competing
from spin_bench.report.numbers import Numbers
from spin_bench.statistics.comparison import per_case

SIMILARITY, COHERENCE = ("judge_i", "clip_i"), ("coherence",)  # how the names of these metrics start


def write_figures(numbers: Numbers, costs: pd.DataFrame, folder: Path) -> list[Path]:
    """Write every figure that the numbers allow into `folder` as PNG and PDF; return the PNGs, the tradeoff first.

    `costs` is the table of cost.csv. Slopes and forests set the first method that is no bounding row against every
    other one.
    """
    return [write_figure(figure, folder / name) for name, figure in _figures(numbers, costs)]


def _figures(numbers: Numbers, costs: pd.DataFrame) -> Iterator[tuple[str, Figure]]:
    summary, pairs, methods, records = numbers.summary, numbers.pairs, numbers.sheet.methods, numbers.sheet.records
    valued = set(summary.loc[summary["n"] > 0, "metric"])
    similarity, coherence = similarity_and_coherence({name: r for name, r in records.items() if name in valued})
    if similarity and coherence:
        yield "similarity_coherence", metric_tradeoff(summary, x=similarity, y=coherence, methods=methods)
    yield "bars", bars(summary, methods=methods, records=records)
    # a method's own best images are no rival
    rivals = {name: methods[name] for name in competing(methods) if "@" not in name}
    first, *others = [*rivals] or [""]
    values = per_case(numbers.scores)
    scored = set(values.index.get_level_values("method"))
    for record in (similarity, coherence):
        if record is None:
            continue
        if costs["seconds_per_image"].notna().any():
            yield f"cost_{record.name}", cost_tradeoff(summary, costs, y=record, methods=methods)
        if len(rivals) < 2:
            continue
        yield f"differences_{record.name}", forest(pairs, base=first, methods=rivals, record=record)
        known = [name for name in others if name in scored]
        if known and first in scored:
            figure = slopes(values, base=first, rivals=known, methods=methods, record=record)
            yield f"slopes_{record.name}", figure


def similarity_and_coherence(records: Mapping[str, MetricRecord]) -> tuple[MetricRecord | None, MetricRecord | None]:
    """Return the first metric of each kind; None if there is none."""
    return _first(records, SIMILARITY), _first(records, COHERENCE)


def _first(records: Mapping[str, MetricRecord], start: tuple[str, ...]) -> MetricRecord | None:
    return next((record for name, record in records.items() if name.startswith(start)), None)
