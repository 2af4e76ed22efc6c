"""`spin-bench validate`: everything wrong with a benchmark's folder, at once."""

from spin_bench.cli.command import command, settings
from spin_bench.cli.exit_codes import DONE


@command(
    examples=[
        "spin-bench validate",
        "spin-bench validate dataset=tficon dataset.root=/data/tficon",
        "spin-bench validate dataset=tficon dataset.root=/data/tficon stack=sd14",
    ]
)
@settings
def validate(words: tuple[str, ...]) -> int:
    """Print a line per problem and doubt of a benchmark's folder, as a run on the stack would meet them."""
    from spin_bench.cli.terminal import say, terminal
    from spin_bench.config.compose import compose
    from spin_bench.config.settings import dataset_config, stack_config
    from spin_bench.core.errors import UserError
    from spin_bench.core.names import printable
    from spin_bench.core.progress import watcher
    from spin_bench.datasets.benchmarks import dataset_root
    from spin_bench.datasets.entry import WARNING
    from spin_bench.datasets.tficon import validate as validated

    config, console = compose(words, {}), terminal()
    stack = stack_config(config)
    root = dataset_root(dataset_config(config), watcher(console))
    where = printable(str(root))
    entries, lines = validated(root, canvas=stack.canvas, cell=stack.latent_cell)
    for line in lines:
        say(console, line)
    problems = sum(not line.startswith(WARNING) for line in lines)
    total = f"{len(entries)} usable entries on stack {stack.name}, {stack.canvas} px"
    if problems:
        raise UserError(f"{where}: {problems} problems, {len(lines) - problems} warnings; {total}")
    say(console, f"{where}: {total}, {len(lines)} warnings")
    return DONE
