"""A run and what is left of it to paint: what is already in the store is never made again."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console

from spin_bench.case import Case
from spin_bench.datasets import entries
from spin_bench.datasets.entry import Entry
from spin_bench.datasets.tficon import load_case
from spin_bench.errors import UserError
from spin_bench.methods import Method
from spin_bench.metrics.record import CaseMetric, Metric
from spin_bench.progress import watcher
from spin_bench.settings import RunSettings
from spin_bench.stack import Stack
from spin_bench.store import Store, run_key

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """Images of one case that one method still has to paint."""

    method: str
    case: int  # index into the run's cases
    ks: tuple[int, ...]  # painted together
    missing: tuple[int, ...]  # of them, what the store does not hold


@dataclass(frozen=True, eq=False)
class Run:
    """Everything a run works with, made once."""

    settings: RunSettings
    stack: Stack
    store: Store
    methods: dict[str, Method]
    metrics: dict[str, Metric]  # of single pictures
    case_metrics: dict[str, CaseMetric]  # of all pictures of a case
    entries: Sequence[Entry]
    cases: Sequence[Case]
    keys: dict[str, str]  # method -> run key
    left_out: dict[str, str]  # method -> why it cannot paint here
    console: Console

    def samples(self, method: str) -> int:
        """An unseeded method paints the same picture for every seed, so one is all there is."""
        wanted = self.settings.samples_for.get(method, self.settings.samples)
        return wanted if self.methods[method].seeded else 1


def prepare(
    settings: RunSettings,
    stack: Stack,
    methods: dict[str, Method],
    metrics: Mapping[str, Metric | CaseMetric],
    console: Console,
) -> Run:
    """Read the cases and name every result; raises `UserError` before anything is written."""

    found = entries(settings.dataset, watcher(console), limit=settings.limit)
    cases = [load_case(entry, stack.canvas) for entry in found]
    left_out = _left_out(settings, stack, methods, cases)
    store = Store(settings.store_dir)
    keys = {}
    for name, chosen in settings.methods.items():
        if name in left_out:
            continue
        identity = {"method": name, "settings": chosen, "version": methods[name].version, "seed": settings.base_seed}
        identity |= {"weights": stack.weights(methods[name].uses), "canvas": stack.canvas, "dtype": str(stack.dtype)}
        keys[name] = run_key(identity)
        store.describe(keys[name], identity)
    chosen = [metrics[name] for name in settings.metrics]
    single = {metric.name: metric for metric in chosen if isinstance(metric, Metric)}
    of_case = {metric.name: metric for metric in chosen if isinstance(metric, CaseMetric)}
    return Run(settings, stack, store, methods, single, of_case, found, cases, keys, left_out, console)


def _left_out(settings: RunSettings, stack: Stack, methods: dict[str, Method], cases: Sequence[Case]) -> dict[str, str]:
    """The run's methods that cannot paint here, and why; `UserError` where none can."""
    reasons = {}
    for name in settings.methods:
        missing = stack.missing(methods[name].uses or ())
        if missing:
            reasons[name] = f"stack {stack.name} has no {' and no '.join(missing)} model"
        elif methods[name].needs_truth and any(case.truth is None for case in cases):
            reasons[name] = "this benchmark knows no true composites"
    if len(reasons) == len(settings.methods):
        raise UserError("nothing to paint: " + "; ".join(f"{name}: {why}" for name, why in reasons.items()))
    for name, why in reasons.items():
        log.warning("%s left out: %s", methods[name].title, why)
    return reasons


def plan(run: Run) -> list[Job]:
    """What is missing from the store, method by method, in batches of one case.

    A batch that lacks one image is painted whole: sums of another batch size round differently, and a run that was
    killed is to end with the bytes of one that was not.
    """
    jobs = []
    for method, key in run.keys.items():
        for index, case in enumerate(run.cases):
            for first in range(0, run.samples(method), run.settings.batch_size):
                ks = tuple(range(first, min(first + run.settings.batch_size, run.samples(method))))
                missing = tuple(k for k in ks if run.store.get(key, case, k) is None)
                if missing:
                    jobs.append(Job(method, index, ks, missing))
    return jobs
