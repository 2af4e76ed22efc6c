"""`spin-bench report`: make tables, figures and pages of results again, from their folders alone."""

from spin_bench.cli.command import command, folders
from spin_bench.cli.exit_codes import DONE


@command(examples=["spin-bench report results/mini/mini/table1", "spin-bench report results/mini/mini/*"])
@folders
def report(folders: tuple[str, ...]) -> int:
    """Draw tables, figures and pages again from results folders, which need neither the store nor a model."""
    from spin_bench.cli.terminal import say, terminal
    from spin_bench.config.paths import expanded
    from spin_bench.core.errors import UserError
    from spin_bench.report.render import render

    if not folders:
        raise UserError("report takes results folders: spin-bench report results/mini/mini/table1")
    console = terminal()
    for folder in (expanded("folder", name) for name in folders):
        for table in render(folder, width=console.width):
            console.print(table)
        say(console, "Open ", folder / "index.html")
    return DONE
