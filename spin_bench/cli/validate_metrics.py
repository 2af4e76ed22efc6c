"""`spin-bench validate-metrics`: every metric against ladders of known faults."""

from pathlib import Path

import pandas as pd
from omegaconf import DictConfig
from rich.console import Console

from spin_bench.config.settings import dataset_config, stack_config
from spin_bench.core.case import Case
from spin_bench.core.progress import watched, watcher
from spin_bench.datasets.benchmarks import chosen_domains, entries
from spin_bench.datasets.tficon import load_case
from spin_bench.metrics.metric import Metric
from spin_bench.metrics.registry import METRICS, chosen
from spin_bench.metrics.validation.degradations import LADDERS
from spin_bench.metrics.validation.evidence import failing, save
from spin_bench.metrics.validation.ladders import matrix, measure, portions
from spin_bench.models.loading.load import load_stack

CASES = 64  # where the configuration sets no limit
KEPT, BROKEN = 0, 3


def validate_metrics_command(config: DictConfig, console: Console) -> int:
    """Write the matrix of metrics and ladders; the exit code says whether the main table's metrics keep their promises.

    The main table is the configuration's `metrics`; every other metric of single pictures is measured beside it, but
    for other people's presets and for what needs an extra encoder.
    """
    single = {name: metric for name, metric in METRICS.items() if isinstance(metric, Metric)}
    main = [name for name in chosen(list(config.metrics)) if name in single]
    stack = load_stack(stack_config(config))
    cases = _cases(config, stack.canvas, console)
    embedded = config.dataset.name == "mini"
    ladders = [ladder for ladder in LADDERS.values() if embedded or not ladder.embedded]
    beside = (name for name, metric in single.items() if not metric.extra and "@" not in name)
    metrics = [single[name] for name in dict.fromkeys([*main, *beside])]
    steps = len(portions(cases)) * len(ladders)
    frames = measure(metrics, ladders, cases, stack)
    values = pd.concat(watched(frames, total=steps, label="climbing ladders", console=console), ignore_index=True)
    folder, table = Path(config.results_dir) / stack.name / "metrics", matrix(values, metrics)
    save(
        values, table, main, folder, title=f"Metrics on ladders of known faults: {config.dataset.name} on {stack.name}"
    )
    broken = failing(table, main)
    console.print(f"{len(metrics)} metrics, {len(ladders)} ladders, {len(cases)} cases: [bold]{folder}[/bold]")
    for line in broken:
        console.print(f"breaks its promise: {line}", markup=False, highlight=False)
    return BROKEN if broken else KEPT


def _cases(config: DictConfig, canvas: int, console: Console) -> list[Case]:
    """`limit` cases, as evenly over the chosen domains as those have them."""
    dataset = dataset_config(config)
    found, _ = entries(dataset, watcher(console), limit=None)
    queues = [[entry for entry in found if entry.domain == domain] for domain in chosen_domains(dataset)]
    limit = min(config.limit or CASES, len(found))
    taken = [0] * len(queues)
    while sum(taken) < limit:
        fewest = min((i for i, queue in enumerate(queues) if taken[i] < len(queue)), key=lambda i: taken[i])
        taken[fewest] += 1
    chosen_entries = [entry for queue, count in zip(queues, taken, strict=True) for entry in queue[:count]]
    return [load_case(entry, canvas) for entry in chosen_entries]
