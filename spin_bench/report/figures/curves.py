"""A sweep: one metric over the values of one setting, a curve a method with its interval."""

import pandas as pd
from matplotlib.figure import Figure

from spin_bench.core.metric_record import MetricRecord
from spin_bench.report.figures.style import house_style, legend_below, one_panel
from spin_bench.report.legend import Rows, method_marks
from spin_bench.report.wording import header


@house_style
def sweep_curves(
    points: pd.DataFrame, *, setting: str, methods: Rows, record: MetricRecord, log: bool = False
) -> Figure:
    """`points` has the columns method, setting (a number), mean, lo, hi; `setting` is what the axis is called.

    A point without a mean is a gap in the curve. `log` spaces the settings logarithmically.
    """
    marks = method_marks(methods)
    figure, axes = one_panel(4.8)
    for name, row in methods.items():
        rows = points[points["method"] == name].sort_values("setting")
        if rows.empty:
            continue
        axes.fill_between(rows["setting"], rows["lo"], rows["hi"], color=marks[name]["color"], alpha=0.18, linewidth=0)
        axes.plot(rows["setting"], rows["mean"], **marks[name], markersize=7, linewidth=2, label=row.title)
    if log:
        axes.set_xscale("log")
    ticks = sorted(points["setting"].unique())
    if len(ticks) <= 10:  # the values that were run, not round numbers between them
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
    axes.set(xlabel=setting, ylabel=header(record))
    axes.grid(True)
    legend_below(figure)
    return figure


@house_style
def sweep_path(points: pd.DataFrame, *, setting: str, methods: Rows, x: MetricRecord, y: MetricRecord) -> Figure:
    """Draw one metric against another, a path a method through the values of the setting, each written at its point.

    `points` has the columns method, setting, metric, mean, lo, hi.
    """
    marks = method_marks(methods)
    figure, axes = one_panel(5.6)
    for name, row in methods.items():
        own = points[points["method"] == name].set_index("setting")
        both = own[own["metric"] == x.name].join(own[own["metric"] == y.name], lsuffix="_x", rsuffix="_y").sort_index()
        both = both.dropna(subset=["mean_x", "mean_y"])
        axes.errorbar(
            both["mean_x"],
            both["mean_y"],
            xerr=[both["mean_x"] - both["lo_x"], both["hi_x"] - both["mean_x"]],
            yerr=[both["mean_y"] - both["lo_y"], both["hi_y"] - both["mean_y"]],
            color=marks[name]["color"],
            linestyle="none",
            elinewidth=1,
            alpha=0.45,
        )
        axes.plot(both["mean_x"], both["mean_y"], **marks[name], markersize=8, label=row.title)
        for value, place in zip(both.index, both[["mean_x", "mean_y"]].to_numpy(), strict=True):
            colour = marks[name]["color"]
            axes.annotate(f"{value:g}", place, xytext=(7, 6), textcoords="offset points", color=colour)
    axes.set(xlabel=header(x), ylabel=header(y), title=f"by {setting}")
    axes.grid(True)
    legend_below(figure)
    return figure
