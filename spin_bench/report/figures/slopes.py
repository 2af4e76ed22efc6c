"""Two methods case by case: a line a case, from its value under one method to its value under the other."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from spin_bench.errors import UserError
from spin_bench.report.facts import MetricFacts, header
from spin_bench.report.figures.style import FAINT, INK, WIDTH, house_style, method_colours


@house_style
def slopes(values: pd.DataFrame, *, first: str, second: str, methods: Mapping[str, str], facts: MetricFacts) -> Figure:
    """A line has the colour of the method that is better at the case, grey at a tie; the means are black.

    `values` is what `spin_bench.stats.per_case` returns. Cases that lack one of the two are left out and counted below.
    """
    known = set(values.index.get_level_values("method"))
    for name in (first, second):
        if name not in known:
            raise UserError(f"no scores of {name!r} to draw slopes of; scored are {', '.join(sorted(known))}")
    table = values["value"].xs(facts.name, level="metric").unstack("method")[[first, second]]
    pairs = table.dropna().to_numpy()
    sign = 1 if facts.higher_is_better in (True, None) else -1
    ahead = np.sign(sign * (pairs[:, 1] - pairs[:, 0]))
    colours = method_colours(methods)
    figure = Figure(figsize=(0.7 * WIDTH, 5.6), layout="constrained")
    axes = figure.subplots()
    for side, colour in ((-1, colours[first]), (1, colours[second]), (0, FAINT)):
        alpha = float(np.clip(20 / max(len(pairs), 1), 0.3, 0.8))
        axes.plot([0, 1], pairs[ahead == side].T, color=colour, alpha=alpha, linewidth=1.3)
    if len(pairs):
        axes.plot([0, 1], pairs.mean(0), color=INK, linewidth=3, marker="o", markersize=8)
    axes.set_xlim(-0.15, 1.15)
    axes.set_xticks([0, 1], [methods[first], methods[second]], fontsize=13)
    axes.set_ylabel(header(facts))
    axes.grid(True, axis="y")
    left_out = len(table) - len(pairs)
    word = "higher" if facts.higher_is_better is None else "better"
    axes.set_title(
        f"{methods[second]} {word} in {int((ahead > 0).sum())}, {methods[first]} in {int((ahead < 0).sum())}\n"
        f"of {len(pairs)} cases" + (f" ({left_out} without a value)" if left_out else ""),
    )
    return figure
