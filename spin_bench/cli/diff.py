"""`spin-bench diff`: what two results folders were made with, and which of their numbers moved."""

from spin_bench.cli.command import command, folders
from spin_bench.cli.exit_codes import DONE


@command(examples=["spin-bench diff results/mini/mini/table1 results/reference/mini/mini/table1"])
@folders
def diff(folders: tuple[str, ...]) -> int:
    """Print which settings, versions and weights of two results folders differ, and which numbers moved."""
    from spin_bench.cli.difference import print_difference
    from spin_bench.cli.terminal import terminal
    from spin_bench.config.paths import expanded
    from spin_bench.core.errors import UserError
    from spin_bench.report.results import read_results

    if len(folders) != 2:
        raise UserError(f"diff takes two results folders, not {len(folders)}: spin-bench diff A B")
    a, b = (read_results(expanded("folder", name)) for name in folders)
    print_difference(a, b, terminal())
    return DONE
