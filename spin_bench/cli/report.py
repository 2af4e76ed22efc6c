"""`spin-bench report FOLDER ...`: make tables, figures and pages of results again, from their folders alone."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from spin_bench.core.errors import UserError
from spin_bench.report.render import render


def report_command(words: Sequence[str], console: Console) -> int:
    """Needs neither the store nor a model; `UserError` for a folder that holds no results."""
    if not words:
        raise UserError("spin-bench report takes results folders: spin-bench report results/mini/mini/table1")
    for folder in map(Path, words):
        for table in render(folder, width=console.width):
            console.print(table)
        console.print(f"Open [bold]{folder / 'index.html'}[/bold]", soft_wrap=True)
    return 0
