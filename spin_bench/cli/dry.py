"""What `dry_run=true` does in place of a run: every method over the first cases, nothing kept."""

from omegaconf import DictConfig
from rich.console import Console

from spin_bench.config.settings import run_settings
from spin_bench.cost.dry_run import dry_run
from spin_bench.methods.registry import methods
from spin_bench.metrics.registry import METRICS
from spin_bench.models.loading.load import load_stack


def dry_command(config: DictConfig, console: Console) -> int:
    """Print time and memory; random weights are allowed here, and nowhere else."""
    known = methods()
    settings = run_settings(config, known, METRICS)
    dry_run(settings, load_stack(settings.stack, dry_run=True), known, console)
    return 0
