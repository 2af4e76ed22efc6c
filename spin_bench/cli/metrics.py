"""`spin-bench metrics`: every metric's record."""

from spin_bench.cli.command import command, settings
from spin_bench.cli.exit_codes import DONE


@command(examples=["spin-bench metrics", "spin-bench metrics stack=sd14"])
@settings
def metrics(words: tuple[str, ...]) -> int:
    """Print what every metric compares, and every choice that moves its number."""
    from spin_bench.cli.terminal import terminal
    from spin_bench.config.compose import compose
    from spin_bench.config.settings import stack_config
    from spin_bench.metrics.listing import metrics_table
    from spin_bench.models.loading.load import load_stack

    terminal().print(metrics_table(load_stack(stack_config(compose(words, {})))))
    return DONE
