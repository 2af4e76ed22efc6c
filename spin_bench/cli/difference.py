"""The difference of two results folders, as tables for the terminal."""

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from spin_bench.core.metric_record import MetricRecord
from spin_bench.report.difference import differing, moves
from spin_bench.report.results import Results
from spin_bench.report.wording import header, interval, number

TITLES = {
    "methods": "Settings of methods",
    "samples": "Images a case",
    "seeds": "Seeds",
    "dataset": "Benchmark",
    "stack": "Stack",
    "metrics": "Metrics",
    "weights": "Weights",
    "code": "Code",
    "packages": "Packages",
    "machine": "Machine",
}
LONG = 44  # characters of a value; hashes and commits are told apart by their first few


def print_difference(a: Results, b: Results, console: Console) -> None:
    """First what they were made with, then their numbers."""
    console.print(f"A: {a.folder}\nB: {b.folder}", markup=False, highlight=False, soft_wrap=True)
    parts = differing(a.provenance, b.provenance)
    for part, lines in parts.items():
        table = Table(title=TITLES[part], title_justify="left", title_style="bold")
        for head in ("name", "A", "B"):
            table.add_column(head, overflow="fold")
        for line in lines:
            table.add_row(*(Text(value if len(value) <= LONG else f"{value[:LONG]}…") for value in line))
        console.print(table)
    if not parts:
        console.print("Made with the same code, settings, weights and packages.")
    _print_numbers(a, b, console)


def _print_numbers(a: Results, b: Results, console: Console) -> None:
    table = moves(a, b)
    moved = table[table["moved"]]
    if len(moved):
        console.print(_moved_table(moved, b))
    equal = int((table["mean_a"] == table["mean_b"]).sum())
    within = len(table) - len(moved) - equal
    console.print(
        f"{len(moved)} of {len(table)} numbers moved beyond their intervals, {within} within, {equal} are equal."
    )
    for one, other, name in ((a, b, "A"), (b, a, "B")):
        rows = [row.title for method, row in one.about.methods.items() if method not in other.about.methods]
        columns = [record.title for metric, record in one.about.records.items() if metric not in other.about.records]
        if rows or columns:
            console.print(f"Only in {name}: {', '.join([*rows, *columns])}", markup=False)


def _moved_table(moved: pd.DataFrame, b: Results) -> Table:
    table = Table("method", "metric", title="Moved beyond both intervals", title_justify="left", title_style="bold")
    for head in ("A", "B", "B − A, paired", "cases"):
        table.add_column(head, justify="right")
    for row in moved.itertuples():
        record = b.about.records[str(row.metric)]
        cells = [
            _cell(row.mean_a, row.lo_a, row.hi_a, record),
            _cell(row.mean_b, row.lo_b, row.hi_b, record),
            _cell(row.diff, row.lo, row.hi, record),
        ]
        table.add_row(Text(b.about.methods[str(row.method)].title), Text(header(record)), *map(Text, cells), str(row.n))
    return table


def _cell(mean: float, lo: float, hi: float, record: MetricRecord) -> str:
    return f"{number(mean, record.digits)} {interval(lo, hi, record.digits)}".rstrip()
