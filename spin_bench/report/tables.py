"""The files of a results table, its cost beside it, and a view for the terminal.

Scores and costs are kept apart: the files of `write_tables` hold no time stamp and no duration, so the same scores give
the same bytes on every machine.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import pandas as pd
from rich.table import Table
from rich.text import Text

from spin_bench.core.errors import check_known
from spin_bench.core.files import write_csv, write_whole
from spin_bench.core.metric_record import MetricRecord
from spin_bench.report.latex import latex
from spin_bench.report.legend import Rows
from spin_bench.report.markdown import markdown
from spin_bench.report.numbers import Numbers
from spin_bench.report.wording import header, interval, number, span
from spin_bench.statistics.comparison import KEY, PAIRS, SUMMARY

SCORES = ["method", "case", "domain", "k", "seed", "metric", "value"]
COST = ["method", "images", "seconds_per_image", "peak_memory_mb"]


def write_scores(scores: pd.DataFrame, folder: Path) -> None:
    """Write scores.parquet (columns `SCORES`) into `folder`, in an order of its own."""
    ordered = scores[SCORES].sort_values(KEY, ignore_index=True)
    write_whole(folder / "scores.parquet", ordered.to_parquet(index=False))


def write_tables(numbers: Numbers, subsets: Mapping[str, Numbers], folder: Path) -> None:
    """Write table.md, table.csv, paired.csv and table.tex into `folder`.

    `subsets` stand in the Markdown and, with their name in front, in subsets.csv and subsets_paired.csv.
    """
    write_csv(folder / "subsets.csv", _stacked(SUMMARY, {name: part.summary for name, part in subsets.items()}))
    write_csv(folder / "subsets_paired.csv", _stacked(PAIRS, {name: part.pairs for name, part in subsets.items()}))
    write_csv(folder / "table.csv", numbers.summary)
    write_csv(folder / "paired.csv", numbers.pairs)
    write_whole(folder / "table.tex", latex(numbers.sheet).encode())
    write_whole(folder / "table.md", markdown(numbers.sheet, [part.sheet for part in subsets.values()]).encode())


def write_cost(runs: pd.DataFrame, *, methods: Collection[str], folder: Path) -> None:
    """Write cost.csv (columns `COST`) into `folder`, a row per name in `methods`.

    `runs` has a row for every image, with columns method, case, k, seconds and peak_memory_mb (NaN if it was not
    measured). Seconds are averaged over images, memory is the largest of them.
    """
    check_known("method", sorted(set(runs["method"])), methods)
    grouped = runs.sort_values(["method", "case", "k", "seconds"]).groupby("method")
    cost = grouped.agg(
        images=("k", "size"), seconds_per_image=("seconds", "mean"), peak_memory_mb=("peak_memory_mb", "max")
    ).reindex(pd.Index(list(methods), name="method"))
    write_csv(folder / "cost.csv", cost.assign(images=cost["images"].fillna(0).astype(int)).reset_index()[COST])


def terminal_table(summary: pd.DataFrame, methods: Rows, records: Mapping[str, MetricRecord]) -> Table:
    """Show what `summarise` returned: a row per method, intervals under the means, n and missing counted."""
    table = Table()
    table.add_column("Method")
    for record in records.values():
        table.add_column(Text(header(record)), justify="right")
    table.add_column("n", justify="right")
    table.add_column("missing", justify="right")
    cells = {(row.method, row.metric): row for row in summary.itertuples()}
    for method, row in methods.items():
        rows = [cells[method, metric] for metric in records]
        values = [
            Text.assemble(number(row.mean, record.digits), "\n", (interval(row.lo, row.hi, 2), "dim"))
            for row, record in zip(rows, records.values(), strict=True)
        ]
        table.add_row(Text(row.title), *values, span([row.n for row in rows]), span([row.missing for row in rows]))
    return table


def terminal_tables(
    summary: pd.DataFrame, methods: Rows, records: Mapping[str, MetricRecord], *, width: int
) -> list[Table]:
    """Share the metrics out over as many tables as a terminal of `width` characters needs."""
    names = max(len(row.title) for row in methods.values())
    room = width - names - len("nmissing") - 3 * 4 - 1  # of the columns that every table has, with their borders
    columns = {metric: max(len(header(record)), len("[-0.00, -0.00]")) + 3 for metric, record in records.items()}
    groups: list[list[str]] = [[]]
    for metric, needed in columns.items():
        if groups[-1] and sum(columns[m] for m in groups[-1]) + needed > room:
            groups.append([])
        groups[-1].append(metric)
    return [terminal_table(summary, methods, {m: records[m] for m in group}) for group in groups]


def _stacked(columns: Sequence[str], frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """`frames` over each other, a column `subset` before the others."""
    named = [frame.assign(subset=name) for name, frame in frames.items()]
    return pd.concat(named or [pd.DataFrame(columns=columns)]).reindex(columns=["subset", *columns])
