"""`spin-bench validate dataset=... [stack=...]`: everything wrong with a benchmark's folder, at once."""

from omegaconf import DictConfig
from rich.console import Console

from spin_bench.config.settings import dataset_config, stack_config
from spin_bench.core.errors import UserError
from spin_bench.core.names import printable
from spin_bench.core.progress import watcher
from spin_bench.datasets.benchmarks import dataset_root
from spin_bench.datasets.entry import WARNING
from spin_bench.datasets.tficon import validate


def validate_command(config: DictConfig, console: Console) -> int:
    """Print a line a problem and doubt, as a run on the stack would meet them; `UserError` where there is a problem."""
    stack = stack_config(config)
    root = dataset_root(dataset_config(config), watcher(console))
    where = printable(str(root))
    entries, lines = validate(root, canvas=stack.canvas, cell=stack.latent_cell)
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    problems = sum(not line.startswith(WARNING) for line in lines)
    total = f"{len(entries)} usable entries on stack {stack.name}, {stack.canvas} px"
    if problems:
        raise UserError(f"{where}: {problems} problems, {len(lines) - problems} warnings; {total}")
    console.print(f"{where}: {total}, {len(lines)} warnings", markup=False, highlight=False, soft_wrap=True)
    return 0
