"""`spin-bench [run]`: paint, score and fold one experiment, or every job of a sweep."""

import click

from spin_bench.cli.command import command, settings
from spin_bench.cli.exit_codes import MEANINGS, SIGNALLED, SOME_FAILED


@command(
    examples=[
        "spin-bench experiment=table1 limit=8 'methods=[spin,copy_paste]'",
        "spin-bench sweep=cfg limit=8",
        "spin-bench --multirun method=spin method.guidance_scale=3,5,7.5",
    ],
    exits={code: MEANINGS[code] for code in (SOME_FAILED, SIGNALLED)},
)
@settings
@click.option("-m", "--multirun", is_flag=True, help="Run once per combination of values, a,b,c; sweep=NAME does too.")
def run(words: tuple[str, ...], multirun: bool) -> int:
    """Paint, score and fold one experiment; what the store holds is not made again."""
    from spin_bench.config.words import read_words

    read_words(words)  # a misspelt one is said before anything is imported that takes its time
    if multirun or any(word.startswith("sweep=") and word != "sweep=null" for word in words):
        from spin_bench.cli.multirun import run_sweep

        return run_sweep(words)
    from spin_bench.cli.experiment import run_experiment
    from spin_bench.cli.terminal import terminal
    from spin_bench.config.compose import compose

    return run_experiment(compose(words), terminal())
