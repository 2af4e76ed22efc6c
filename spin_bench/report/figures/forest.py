"""How far every variant is from one base, as intervals beside a line at zero: the figure of an ablation."""

import math

import pandas as pd
from matplotlib.figure import Figure

from spin_bench.core.metric_record import MetricRecord
from spin_bench.report.figures.style import INK, house_style, one_panel, printed
from spin_bench.report.legend import Rows, method_colours
from spin_bench.report.wording import interval, number

WORDS = {True: "right is better", False: "left is better", None: "neither side is better"}


def differences(pairs: pd.DataFrame, *, base: str, metric: str) -> pd.DataFrame:
    """Turn the pairs with `base` into other - base: columns diff, lo, hi, n, indexed by the other.

    `pairs` is what `spin_bench.statistics.comparison.compare` returns: there either side may be the base.
    """
    rows = pairs[pairs["metric"] == metric]
    after = rows[rows["method_a"] == base]  # base - other
    turned = after.assign(method=after["method_b"], diff=-after["diff"], lo=-after["hi"], hi=-after["lo"])
    before = rows[rows["method_b"] == base].assign(method=lambda frame: frame["method_a"])
    return pd.concat([turned, before]).set_index("method")[["diff", "lo", "hi", "n"]]


@house_style
def forest(pairs: pd.DataFrame, *, base: str, methods: Rows, record: MetricRecord) -> Figure:
    """Draw a row for every method but `base`, in the order of `methods`: its mean paired difference and interval.

    A filled marker is an interval that excludes 0.
    """
    rows = differences(pairs, base=base, metric=record.name).reindex([name for name in methods if name != base])
    colours = method_colours(methods)
    figure, axes = one_panel(1.6 + 0.42 * len(rows))
    axes.axvline(0, color=INK, linewidth=1)
    for place, (name, row) in enumerate(rows.iterrows()):
        clear = row["lo"] > 0 or row["hi"] < 0
        if not math.isnan(row["diff"]):
            axes.errorbar(
                row["diff"],
                place,
                xerr=[[row["diff"] - row["lo"]], [row["hi"] - row["diff"]]],
                color=colours[str(name)],
                marker="o",
                markersize=9,
                markerfacecolor=colours[str(name)] if clear else "white",
                capsize=4,
                elinewidth=2,
            )
        text = f"{number(row['diff'], record.digits)} {interval(row['lo'], row['hi'], record.digits)}"
        axes.text(1.03, place, printed(text), va="center", fontsize=12, transform=axes.get_yaxis_transform())
    axes.set_yticks(range(len(rows)), [methods[str(name)].title for name in rows.index])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.margins(x=0.1)
    axes.locator_params(axis="x", nbins=5)
    axes.grid(True, axis="x")
    unit = f" ({record.unit})" if record.unit else ""
    axes.set_xlabel(f"{record.title}{unit}, difference from {methods[base].title}\n({WORDS[record.higher_is_better]})")
    return figure
