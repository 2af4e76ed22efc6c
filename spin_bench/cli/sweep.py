"""`spin-bench sweep FOLDER ...`: results at several values of one setting, as curves with intervals and a table."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from spin_bench.report.sweep import find_results, write_sweep


def sweep_command(words: Sequence[str], console: Console) -> int:
    """`words` are results folders, or folders that hold some; `UserError` where they do not differ in one number."""
    folder = write_sweep(find_results([Path(word) for word in words]))
    console.print((folder / "table.md").read_text("utf-8"), markup=False, highlight=False, soft_wrap=True)
    console.print(f"Table and figures: [bold]{folder}[/bold]", soft_wrap=True)
    return 0
