"""`spin-bench sweep`: results at several values of one setting, as curves with intervals and a table."""

from spin_bench.cli.command import command, folders
from spin_bench.cli.exit_codes import DONE


@command(examples=["spin-bench sweep results/mini/mini/sweep-cfg", "spin-bench sweep results/a results/b results/c"])
@folders
def sweep(folders: tuple[str, ...]) -> int:
    """Draw curves over the one setting in which results folders differ; a sweep itself is run by sweep=NAME."""
    from spin_bench.cli.terminal import say, terminal
    from spin_bench.config.paths import expanded
    from spin_bench.report.sweep import find_results, write_sweep

    folder = write_sweep(find_results([expanded("folder", name) for name in folders]))
    console = terminal()
    say(console, (folder / "table.md").read_text("utf-8"))
    say(console, "Table and figures: ", folder)
    return DONE
