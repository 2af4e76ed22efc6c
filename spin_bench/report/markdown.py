"""A sheet as Markdown."""

from collections.abc import Sequence

from spin_bench.report.sheet import FEWEST_CASES, Sheet
from spin_bench.report.wording import direction, header, interval, number

BETTER = {"↑": "higher is better", "↓": "lower is better", "": "neither end is better"}
LEGEND = (
    "Cells: mean over cases [95 % BCa bootstrap interval]. Bold: the best method, only where its paired interval "
    f"against every other one excludes 0 over at least {FEWEST_CASES} cases; bounding rows do not compete."
)


def markdown(sheet: Sheet, subsets: Sequence[Sheet] = ()) -> str:
    """Write heading, size, table, what is missing, the same of each subset, legend and notes; one newline ends it."""
    parts = [
        f"# {sheet.title}",
        *_numbers(sheet),
        *(part for subset in subsets for part in (f"## {subset.title}", *_numbers(subset))),
        LEGEND,
        "\n".join(_legend(sheet)),
        "\n".join(f"- {note}" for note in sheet.notes),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a pipe table, the first column left, the others right, padded so that the source reads as a table."""
    grid = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in (head, *rows)]
    widths = [max(3, *(len(row[i]) for row in grid)) for i in range(len(head))]
    rule = [":" + "-" * (widths[0] - 1), *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = [_pad(row, widths) for row in grid]
    return "\n".join(f"| {' | '.join(row)} |" for row in (lines[0], rule, *lines[1:]))


def _numbers(sheet: Sheet) -> list[str]:
    head = ["Method", *(header(record) for record in sheet.records.values())]
    rows = [
        [row.title, *(_cell(sheet, name, metric) for metric in sheet.records)] for name, row in sheet.methods.items()
    ]
    return [sheet.size, markdown_table(head, rows), "\n\n".join(sheet.missing)]


def _legend(sheet: Sheet) -> list[str]:
    return [
        f"- {record.title} (`{record.name}`): {BETTER[direction(record)]}; encoder: {record.encoder or 'none'}"
        for record in sheet.records.values()
    ]


def _cell(sheet: Sheet, method: str, metric: str) -> str:
    mean, lo, hi = sheet.cells[method, metric]
    digits = sheet.records[metric].digits
    text = f"{number(mean, digits)} {interval(lo, hi, digits)}".rstrip()
    return f"**{text}**" if (method, metric) in sheet.best else text


def _pad(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
