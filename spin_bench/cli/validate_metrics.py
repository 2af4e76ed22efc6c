"""`spin-bench validate-metrics`: every metric against ladders of known faults."""

from spin_bench.cli.command import command, settings
from spin_bench.cli.exit_codes import SOME_FAILED


@command(
    name="validate-metrics",
    examples=["spin-bench validate-metrics dataset.domains=all", "spin-bench validate-metrics limit=16"],
    exits={SOME_FAILED: "a metric of the main table breaks a promise"},
)
@settings
def validate_metrics(words: tuple[str, ...]) -> int:
    """Measure every metric on ladders of known faults, and say which of the main table's keep their promises."""
    from spin_bench.config.words import read_words

    read_words(words)
    from spin_bench.cli.ladders import climb_ladders
    from spin_bench.cli.terminal import terminal
    from spin_bench.config.compose import compose
    from spin_bench.config.settings import run_settings
    from spin_bench.methods.registry import methods
    from spin_bench.metrics.registry import METRICS

    return climb_ladders(run_settings(compose(words), methods(), METRICS), terminal())
