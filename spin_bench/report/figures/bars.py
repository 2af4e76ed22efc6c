"""Every method's mean in every metric, as bars with their intervals."""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spin_bench.core.metric_record import MetricRecord
from spin_bench.report.figures.style import FAINT, INK, WIDTH, house_style, printed
from spin_bench.report.legend import Rows, method_colours
from spin_bench.report.wording import header, number, span

PANELS = 2  # beside each other
ROW, HEAD = 0.36, 1.0  # inches of height: a bar, and what a panel needs around its bars


@house_style
def bars(summary: pd.DataFrame, *, methods: Rows, records: Mapping[str, MetricRecord]) -> Figure:
    """Draw a panel per metric with a bar per method from 0; bounding rows are hatched.

    `summary` is what `statistics.comparison.summarise` returns; `methods` maps names to display names, top to bottom.
    """
    height = math.ceil(len(records) / PANELS) * (HEAD + ROW * len(methods)) + 0.5
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    across = min(PANELS, len(records))
    grid = figure.subplots(math.ceil(len(records) / across), across, squeeze=False)
    cells = summary.set_index(["method", "metric"])
    for axes in grid.flat[len(records) :]:
        axes.set_visible(False)
    for i, (axes, record) in enumerate(zip(grid.flat, records.values(), strict=False)):
        _panel(axes, cells.xs(record.name, level="metric").reindex(methods), methods, record)
        if i % across:
            axes.set_yticklabels([])
    counts = summary.loc[summary["metric"].isin(records) & summary["method"].isin(methods), "n"]
    figure.supxlabel(f"mean over n = {span(counts.tolist())} cases, 95 % interval", fontsize=12)
    return figure


def _panel(axes: Axes, rows: pd.DataFrame, methods: Rows, record: MetricRecord) -> None:
    """`rows` has the columns mean, lo, hi, one row a method in the order of `methods`."""
    colours = method_colours(methods)
    places = np.arange(len(methods))
    mean, lo, hi = (rows[column].to_numpy(float) for column in ("mean", "lo", "hi"))
    drawn = axes.barh(places, np.nan_to_num(mean), color=list(colours.values()), height=0.72)
    for name, bar in zip(methods, drawn, strict=True):
        if methods[name].bound:
            bar.set(hatch="////", edgecolor="white", linewidth=0)
    known = ~np.isnan(lo)
    axes.errorbar(
        mean[known], places[known], xerr=[(mean - lo)[known], (hi - mean)[known]], fmt="none", ecolor=INK, capsize=3
    )
    ends = np.nan_to_num(np.fmax(hi, mean))  # where the number stands: right of everything that is drawn
    for place, end, value in zip(places, ends, mean, strict=True):
        axes.annotate(
            printed(number(value, record.digits)),
            (max(end, 0.0), float(place)),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=12,
        )
    low, high = min(0.0, np.nanmin([0.0, *lo, *mean])), max(0.0, *ends)
    room = (high - low) or 1.0
    axes.set_xlim(low - 0.04 * room * (low < 0), high + 0.32 * room)
    axes.set_yticks(places, [row.title for row in methods.values()])
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.axvline(0, color=FAINT, linewidth=1)
    axes.locator_params(axis="x", nbins=4)
    axes.set_title(header(record), loc="left")
