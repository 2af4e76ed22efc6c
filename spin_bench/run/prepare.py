"""A run: its cases, methods and metrics, and the name of every result, made before anything is painted."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import partial
from typing import Any

from rich.console import Console

from spin_bench.config.settings import RunSettings
from spin_bench.core.case import Case
from spin_bench.core.errors import UserError
from spin_bench.core.progress import watcher
from spin_bench.core.stopping import Stop
from spin_bench.datasets.benchmarks import Loaded, load_cases, validate_hint
from spin_bench.datasets.entry import Unusable
from spin_bench.methods.method import Method
from spin_bench.methods.source import method_source
from spin_bench.methods.variants import with_variants
from spin_bench.metrics.available import usable
from spin_bench.metrics.extra_encoders import Encoders
from spin_bench.metrics.metric import CaseMetric, Metric
from spin_bench.metrics.sets import check_sizes
from spin_bench.models.stack import Stack
from spin_bench.run.sources import compare_source
from spin_bench.store import Record, Store

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Task:
    """The images that one method makes of one case."""

    method: str
    key: str  # the method's run key
    case: Case
    ks: range  # image numbers


@dataclass(frozen=True, eq=False)
class Run:
    """Everything a run works with, made once."""

    settings: RunSettings
    stack: Stack
    store: Store
    methods: dict[str, Method]
    metrics: dict[str, Metric]  # of single pictures
    case_metrics: dict[str, CaseMetric]  # of all pictures of a case
    cases: Sequence[Case]
    keys: dict[str, str]  # method -> run key
    left_out: dict[str, str]  # method -> why it cannot paint here
    console: Console
    encoders: Encoders  # that no stack carries
    unusable: Sequence[Unusable] = ()  # cases that the benchmark names and that nothing can be painted for
    stop: Stop = field(default_factory=Stop)
    started: datetime = field(default_factory=partial(datetime.now, timezone.utc))
    kept: frozenset[str] = frozenset()  # methods that only an earlier run of this name asked for

    def samples(self, method: str) -> int:
        """An unseeded method paints the same picture for every seed, so one is all there is."""
        wanted = self.settings.samples_for.get(method, self.settings.samples)
        return wanted if self.methods[method].seeded else 1

    def together(self, method: str) -> int:
        """How many images of a case are painted at once."""
        own = self.methods[method].batch
        # The painter rejects batch < 1.
        return max(own(self.settings.methods[method]), 1) if own else self.settings.batch_size

    def task(self, method: str, case: Case) -> Task:
        """The images that `method` makes of `case`."""
        return Task(method, self.keys[method], case, range(self.samples(method)))

    def tasks(self) -> Iterator[Task]:
        """Every method's images of every case, method by method."""
        return (self.task(method, case) for method in self.keys for case in self.cases)

    def records(self, task: Task) -> dict[int, Record]:
        """Records of the task's pictures by image number, of those that are there."""
        return self.store.records(task.key, task.case, len(task.ks))


def prepare(
    settings: RunSettings,
    stack: Stack,
    methods: Mapping[str, Method],
    metrics: Mapping[str, Metric | CaseMetric],
    console: Console,
) -> Run:
    """Read the cases and name every result; writes nothing, and raises `UserError` for what cannot be run.

    A metric whose encoder is not there is left out, the others go on.
    """
    encoders = Encoders(stack.device)
    settings = replace(settings, metrics=usable(settings.metrics, metrics, stack, encoders))
    methods = {name: with_variants(methods, settings.variants)[name] for name in settings.methods}
    loaded = load_cases(settings.dataset, watcher(console), limit=settings.limit, canvas=stack.canvas)
    _warn(loaded, settings)
    cases = loaded.cases
    left_out = _left_out(settings, stack, methods, cases)
    check_sizes(settings.set_level, len(cases))
    store = Store(settings.store_dir)
    keys = {}
    for name, of_method in settings.methods.items():
        if name not in left_out:
            method = methods[name]
            of_run = identity(method.variant_of or name, method, of_method, stack, settings)
            keys[name] = store.name(of_run, source=method.source or method_source(method))
            compare_source(store, keys[name], method)
    single, of_case = by_kind([metrics[name] for name in settings.metrics])
    return Run(
        settings, stack, store, methods, single, of_case, cases, keys, left_out, console, encoders, loaded.unusable
    )


def _warn(loaded: Loaded, settings: RunSettings) -> None:
    """Say what is doubtful about the cases, and which of them count as missing."""
    for line in loaded.doubts:
        log.warning("%s", line)
    for case in loaded.unusable:
        log.warning("%s counts as missing: %s", case.id, case.reason)
    if loaded.unusable:
        total = len(loaded.cases) + len(loaded.unusable)
        hint = validate_hint(settings.dataset, settings.stack.name)
        log.warning("%d of %d cases are unusable: %s", len(loaded.unusable), total, hint)


def identity(name: str, method: Method, settings: Any, stack: Stack, run: RunSettings) -> dict[str, Any]:
    """Everything that the pictures of a method depend on, beside the case; its digest is the run key."""
    return {
        "method": name,
        "settings": settings,
        "version": method.version,
        "weights": stack.weights(method.parts(settings)),
        "canvas": stack.canvas,
        "dtype": str(stack.dtype),
        "seed": run.base_seed,
        **({"source": method.source} if method.source else {}),
    }


def by_kind(metrics: Sequence[Metric | CaseMetric]) -> tuple[dict[str, Metric], dict[str, CaseMetric]]:
    """Metrics of single pictures and metrics of whole cases, by name."""
    single = {metric.name: metric for metric in metrics if isinstance(metric, Metric)}
    return single, {metric.name: metric for metric in metrics if isinstance(metric, CaseMetric)}


def _left_out(
    settings: RunSettings, stack: Stack, methods: Mapping[str, Method], cases: Sequence[Case]
) -> dict[str, str]:
    """The run's methods that cannot paint here, and why; `UserError` where none can."""
    reasons = {}
    for name, of_method in settings.methods.items():
        missing = stack.missing(methods[name].parts(of_method) or ())
        if missing:
            reasons[name] = f"stack {stack.name} has no {' and no '.join(missing)} model"
        elif unknown := [fact for fact in methods[name].needs if not all(getattr(case, fact) for case in cases)]:
            reasons[name] = f"this benchmark does not know the {' and '.join(unknown)} of every case"
    if len(reasons) == len(settings.methods):
        raise UserError("nothing to paint: " + "; ".join(f"{name}: {why}" for name, why in reasons.items()))
    for name, why in reasons.items():
        log.warning("%s left out: %s", methods[name].title, why)
    return reasons
