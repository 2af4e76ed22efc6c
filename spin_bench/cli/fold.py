"""`spin-bench fold`: write a results folder from what the store holds."""

from spin_bench.cli.command import command, settings
from spin_bench.cli.exit_codes import MEANINGS, SOME_FAILED


@command(
    examples=["spin-bench fold experiment=table1", "spin-bench fold experiment=table1 stack=sd14 limit=32"],
    exits={SOME_FAILED: MEANINGS[SOME_FAILED]},
)
@settings
def fold(words: tuple[str, ...]) -> int:
    """Write the results folder of a run from what the store holds, and paint nothing."""
    from spin_bench.config.words import read_words

    read_words(words)
    from spin_bench.cli.experiment import fold_experiment
    from spin_bench.cli.terminal import terminal
    from spin_bench.config.compose import compose

    return fold_experiment(compose(words), terminal())
