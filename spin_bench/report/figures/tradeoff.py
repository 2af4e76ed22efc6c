"""What a method pays for what it gains: similarity against coherence, cost against quality."""

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from spin_bench.core.metric_record import MetricRecord
from spin_bench.report.figures.style import INK, house_style, legend_below, one_panel
from spin_bench.report.legend import Rows, competing, method_marks
from spin_bench.report.wording import header
from spin_bench.statistics.pareto import pareto_front

HEIGHT = 5.6  # inches


@house_style
def metric_tradeoff(summary: pd.DataFrame, *, x: MetricRecord, y: MetricRecord, methods: Rows) -> Figure:
    """Draw one metric against another with both intervals, and the Pareto front of the means.

    `summary` is what `comparison.summarise` returns. Bounding rows are drawn hollow and are not on the front,
    which is left out where a metric has no better end.
    """
    cells = summary.set_index(["metric", "method"])[["mean", "lo", "hi"]]
    figure, axes = one_panel(HEIGHT)
    points = cells.loc[x.name].join(cells.loc[y.name], lsuffix="_x", rsuffix="_y", how="inner")
    _draw(axes, points, methods, higher_x=x.higher_is_better, higher_y=y.higher_is_better)
    axes.set(xlabel=header(x), ylabel=header(y))
    legend_below(figure)
    return figure


@house_style
def cost_tradeoff(summary: pd.DataFrame, costs: pd.DataFrame, *, y: MetricRecord, methods: Rows) -> Figure:
    """Draw a metric with its interval against the seconds an image takes (logarithmic), and the Pareto front.

    `costs` has the columns method and seconds_per_image. Bounding rows, which paint nothing, are left out.
    """
    seconds = costs.set_index("method")["seconds_per_image"].rename("mean_x")
    quality = summary[summary["metric"] == y.name].set_index("method")[["mean", "lo", "hi"]].add_suffix("_y")
    points = quality.join(seconds, how="inner").assign(lo_x=float("nan"), hi_x=float("nan"))
    painters = {name: methods[name] for name in competing(methods)}
    figure, axes = one_panel(HEIGHT)
    _draw(axes, points, painters, higher_x=False, higher_y=y.higher_is_better)
    axes.set_xscale("log")  # after the drawing: matplotlib takes the limits of intervals wrongly on such an axis
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set(xlabel="time (s/image) ↓", ylabel=header(y))
    legend_below(figure)
    return figure


def _draw(axes: Axes, points: pd.DataFrame, methods: Rows, *, higher_x: bool | None, higher_y: bool | None) -> None:
    """`points` has the columns mean_x, lo_x, hi_x and the same for y, indexed by method."""
    marks = method_marks(methods)
    rows = points.reindex(methods).dropna(subset=["mean_x", "mean_y"])
    axes.grid(True)
    for name, row in rows.iterrows():
        x, y, mark = row["mean_x"], row["mean_y"], marks[str(name)]
        axes.errorbar(
            x,
            y,
            xerr=_reach(x, row["lo_x"], row["hi_x"]),
            yerr=_reach(y, row["lo_y"], row["hi_y"]),
            color=mark["color"],
            linestyle="none",
            elinewidth=1.4,
            zorder=2,
        )
        axes.plot(
            x,
            y,
            **mark,
            markerfacecolor="white" if methods[str(name)].bound else mark["color"],
            markersize=10,
            linestyle="none",
            zorder=4,
            label=methods[str(name)].title,
        )
    rivals = rows[rows.index.isin(competing(methods))]
    if higher_x is None or higher_y is None:
        return
    front = pareto_front(rivals["mean_x"], rivals["mean_y"], higher_x=higher_x, higher_y=higher_y)
    axes.plot(
        rivals["mean_x"].iloc[front],
        rivals["mean_y"].iloc[front],
        drawstyle="steps-pre" if higher_x else "steps-post",  # around what the front beats
        color=INK,
        linestyle="--",
        linewidth=1.2,
        zorder=3,  # over the intervals, which often lie on its steps
        label="Pareto front",
    )


def _reach(value: float, lo: float, hi: float) -> list[list[float]] | None:
    """An interval as matplotlib takes it; None without one."""
    return None if math.isnan(lo) else [[value - lo], [hi - value]]
