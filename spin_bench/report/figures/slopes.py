"""One method against every other, case by case: a line a case, from its value under the rival to its value under it."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spin_bench.core.metric_record import MetricRecord
from spin_bench.report.figures.style import FAINT, INK, WIDTH, house_style
from spin_bench.report.legend import Rows, method_colours
from spin_bench.report.wording import header

ACROSS = 3  # panels beside each other
PANEL = 3.6  # inches of height


@house_style
def slopes(values: pd.DataFrame, *, base: str, rivals: Sequence[str], methods: Rows, record: MetricRecord) -> Figure:
    """Draw a panel a rival: a line a case in the colour of the better method, grey at a tie; means are black.

    `values` is what `statistics.comparison.per_case` returns. Cases that lack one of the two are left out and counted.
    """
    table = values["value"].xs(record.name, level="metric").unstack("method")
    across = min(ACROSS, len(rivals))
    down = math.ceil(len(rivals) / across)
    figure = Figure(figsize=(WIDTH * across / ACROSS + 0.6, PANEL * down + 0.4), layout="constrained")
    grid = figure.subplots(down, across, sharey=True, squeeze=False)
    colours = method_colours(methods)
    for axes in grid.flat[len(rivals) :]:
        axes.set_visible(False)
    for axes, rival in zip(grid.flat, rivals, strict=False):
        titles = [methods[rival].title, methods[base].title]
        _panel(axes, table[[rival, base]], [colours[rival], colours[base]], titles, record.higher_is_better)
    figure.supylabel(header(record), fontsize=13)
    figure.supxlabel(f"cases in which each is {'higher' if record.higher_is_better is None else 'better'}", fontsize=12)
    return figure


def _panel(
    axes: Axes, table: pd.DataFrame, colours: Sequence[str], titles: Sequence[str], higher_is_better: bool | None
) -> None:
    """`table` has two columns, left and right, and a row a case."""
    pairs = table.dropna().to_numpy()
    sign = -1 if higher_is_better is False else 1
    ahead = np.sign(sign * (pairs[:, 1] - pairs[:, 0]))
    alpha = float(np.clip(20 / max(len(pairs), 1), 0.3, 0.8))
    for side, colour in ((-1, colours[0]), (1, colours[1]), (0, FAINT)):
        axes.plot([0, 1], pairs[ahead == side].T, color=colour, alpha=alpha, linewidth=1.3)
    if len(pairs):
        axes.plot([0, 1], pairs.mean(0), color=INK, linewidth=3, marker="o", markersize=7)
    axes.set_xlim(-0.4, 1.4)
    wins = [int((ahead < 0).sum()), int((ahead > 0).sum())]
    axes.set_xticks([0, 1], [f"{title}\n{count}" for title, count in zip(titles, wins, strict=True)])
    axes.grid(True, axis="y")
    left_out = len(table) - len(pairs)
    axes.set_title(f"{len(pairs)} cases" + (f", {left_out} without a value" if left_out else ""), fontsize=11)
