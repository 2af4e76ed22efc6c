"""`spin-bench doctor`: what a run would meet, before it is started. Loads no weights."""

import click

from spin_bench.cli.command import command, settings
from spin_bench.cli.exit_codes import DONE


@command(
    examples=[
        "spin-bench doctor",
        "spin-bench doctor stack=sd14 dataset=tficon dataset.root=/data/tficon",
        "spin-bench doctor stack=sd14 --verify",
    ]
)
@settings
@click.option("--verify", is_flag=True, help="Read every file of the stack and compare its hash.")
def doctor(words: tuple[str, ...], verify: bool) -> int:
    """Say what a run would meet: the machine, the weights, the benchmark, and the time and memory it takes."""
    from spin_bench.config.words import read_words

    read_words(words)
    from spin_bench.cli.examination import examine
    from spin_bench.cli.terminal import terminal
    from spin_bench.config.compose import compose
    from spin_bench.config.settings import run_settings
    from spin_bench.core.errors import UserError
    from spin_bench.methods.registry import methods
    from spin_bench.metrics.registry import METRICS

    console = terminal()
    faults = examine(run_settings(compose(words), methods(), METRICS), console, verify=verify)
    if faults:
        raise UserError("; ".join(faults))
    console.print("Everything that the run needs is there.")
    return DONE
