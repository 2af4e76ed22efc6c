"""Every metric of a run on ladders of known faults, as a matrix in its results."""

import pandas as pd
from rich.console import Console

from spin_bench.cli.exit_codes import DONE, SOME_FAILED
from spin_bench.cli.terminal import say
from spin_bench.config.settings import RunSettings
from spin_bench.core.case import Case
from spin_bench.core.progress import watched, watcher
from spin_bench.datasets.benchmarks import chosen_domains, entries
from spin_bench.datasets.tficon import load_case
from spin_bench.metrics.case_features import portions
from spin_bench.metrics.metric import Metric
from spin_bench.metrics.registry import METRICS
from spin_bench.metrics.validation.degradations import LADDERS
from spin_bench.metrics.validation.evidence import failing, save
from spin_bench.metrics.validation.ladders import TOGETHER, matrix, measure
from spin_bench.models.loading.load import load_stack

CASES = 64  # if the run sets no limit


def climb_ladders(settings: RunSettings, console: Console) -> int:
    """Write the matrix of metrics and ladders; the exit code says whether the main table's metrics keep their promises.

    The main table is the run's `metrics`; every other metric of single pictures is measured beside it, but
    for other people's presets and for what needs an extra encoder.
    """
    single = {name: metric for name, metric in METRICS.items() if isinstance(metric, Metric)}
    main = [name for name in settings.metrics if name in single]
    stack = load_stack(settings.stack)
    cases = _cases(settings, stack.canvas, console)
    embedded = settings.dataset.name == "mini"
    ladders = [ladder for ladder in LADDERS.values() if embedded or not ladder.embedded]
    beside = (name for name, metric in single.items() if not metric.extra and "@" not in name)
    metrics = [single[name] for name in dict.fromkeys([*main, *beside])]
    steps = len(portions(cases, TOGETHER)) * len(ladders)
    frames = measure(metrics, ladders, cases, stack)
    values = pd.concat(watched(frames, total=steps, label="climbing ladders", console=console), ignore_index=True)
    folder, table = settings.results_dir / stack.name / "metrics", matrix(values, metrics)
    title = f"Metrics on ladders of known faults: {settings.dataset.label} on {stack.name}"
    save(values, table, main, folder, title=title)
    broken = failing(table, main)
    say(console, f"{len(metrics)} metrics, {len(ladders)} ladders, {len(cases)} cases: ", folder)
    for line in broken:
        say(console, f"breaks its promise: {line}")
    return SOME_FAILED if broken else DONE


def _cases(settings: RunSettings, canvas: int, console: Console) -> list[Case]:
    """`limit` cases, as evenly over the chosen domains as those have them."""
    listed, _ = entries(settings.dataset, watcher(console), limit=None)
    queues = [[entry for entry in listed if entry.domain == domain] for domain in chosen_domains(settings.dataset)]
    limit = min(settings.limit or CASES, len(listed))
    taken = [0] * len(queues)
    while sum(taken) < limit:
        fewest = min((i for i, queue in enumerate(queues) if taken[i] < len(queue)), key=lambda i: taken[i])
        taken[fewest] += 1
    evenly = [entry for queue, count in zip(queues, taken, strict=True) for entry in queue[:count]]
    return [load_case(entry, canvas) for entry in evenly]
