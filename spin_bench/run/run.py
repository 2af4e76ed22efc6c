"""A run and what is left of it to paint: what is already in the store is never made again."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import partial

from rich.console import Console

from spin_bench.config.settings import RunSettings
from spin_bench.core.case import Case
from spin_bench.core.errors import UserError
from spin_bench.core.progress import watcher
from spin_bench.core.stopping import Stop
from spin_bench.datasets.benchmarks import Loaded, load_cases, validate_hint
from spin_bench.datasets.entry import Unusable
from spin_bench.methods.method import Method
from spin_bench.methods.variants import with_variants
from spin_bench.metrics.available import usable
from spin_bench.metrics.extra_encoders import Encoders
from spin_bench.metrics.metric import CaseMetric, Metric
from spin_bench.metrics.sets import check_sizes
from spin_bench.models.stack import Stack
from spin_bench.store import Store, run_key

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Unit:
    """Work that stays on one worker: cases of one method that share work (`Method.prepare`), or a single case."""

    method: str
    cases: tuple[int, ...]  # indices into the run's cases


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
    cases: Sequence[Case]
    keys: dict[str, str]  # method -> run key
    left_out: dict[str, str]  # method -> why it cannot paint here
    console: Console
    encoders: Encoders  # that no stack carries
    unusable: Sequence[Unusable] = ()  # cases that the benchmark names and that nothing can be painted for
    stop: Stop = field(default_factory=Stop)
    started: datetime = field(default_factory=partial(datetime.now, timezone.utc))

    def samples(self, method: str) -> int:
        """An unseeded method paints the same picture for every seed, so one is all there is."""
        wanted = self.settings.samples_for.get(method, self.settings.samples)
        return wanted if self.methods[method].seeded else 1

    def together(self, method: str) -> int:
        """How many images of a case are painted at once."""
        own = self.methods[method].batch
        # What is wrong with a batch below 1 is the painter's to say.
        return max(own(self.settings.methods[method]), 1) if own else self.settings.batch_size


def prepare(
    settings: RunSettings,
    stack: Stack,
    methods: Mapping[str, Method],
    metrics: Mapping[str, Metric | CaseMetric],
    console: Console,
) -> Run:
    """Read the cases and name every result; raises `UserError` before anything is written.

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
    for name, chosen in settings.methods.items():
        if name in left_out:
            continue
        method = methods[name]
        identity = {"method": method.variant_of or name, "settings": chosen, "version": method.version}
        identity |= {"weights": stack.weights(method.parts(chosen)), "canvas": stack.canvas, "dtype": str(stack.dtype)}
        identity |= {"seed": settings.base_seed}
        keys[name] = run_key(identity)
        store.describe(keys[name], identity)
    chosen = [metrics[name] for name in settings.metrics]
    single = {metric.name: metric for metric in chosen if isinstance(metric, Metric)}
    of_case = {metric.name: metric for metric in chosen if isinstance(metric, CaseMetric)}
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


def _left_out(
    settings: RunSettings, stack: Stack, methods: Mapping[str, Method], cases: Sequence[Case]
) -> dict[str, str]:
    """The run's methods that cannot paint here, and why; `UserError` where none can."""
    reasons = {}
    for name, chosen in settings.methods.items():
        missing = stack.missing(methods[name].parts(chosen) or ())
        if missing:
            reasons[name] = f"stack {stack.name} has no {' and no '.join(missing)} model"
        elif methods[name].needs_truth and any(case.truth is None for case in cases):
            reasons[name] = "this benchmark knows no true composites"
    if len(reasons) == len(settings.methods):
        raise UserError("nothing to paint: " + "; ".join(f"{name}: {why}" for name, why in reasons.items()))
    for name, why in reasons.items():
        log.warning("%s left out: %s", methods[name].title, why)
    return reasons


def plan(run: Run, chosen: Sequence[Unit] | None = None) -> list[Job]:
    """What the store lacks of the `chosen` units (default: of all), method by method, in batches of one case.

    A batch that lacks one image is painted whole: sums of another batch size round differently, and a run that was
    killed is to end with the bytes of one that was not.
    """
    run.store.refresh(run.keys.values())
    jobs = []
    for unit in units(run) if chosen is None else chosen:
        samples, together = run.samples(unit.method), run.together(unit.method)
        for index in unit.cases:
            for first in range(0, samples, together):
                ks = tuple(range(first, min(first + together, samples)))
                missing = lacking(run, unit.method, index, ks)
                if missing:
                    jobs.append(Job(unit.method, index, ks, missing))
    return jobs


def lacking(run: Run, method: str, case: int, ks: Sequence[int]) -> tuple[int, ...]:
    """Those of the images `ks` that the store does not hold, as far as it was read."""
    return tuple(k for k in ks if run.store.stored(run.keys[method], run.cases[case], k) is None)


def unpainted(run: Run) -> int:
    """How many images are neither there nor known to have failed, as far as the store was read."""
    return sum(
        run.store.stored(key, case, k) is None and run.store.failure(key, case, k) is None
        for method, key in run.keys.items()
        for case in run.cases
        for k in range(run.samples(method))
    )


def units(run: Run) -> list[Unit]:
    """Everything that the run paints, method by method.

    Groups of a method that shares work are counted over all cases of the run, so that they are the same on every
    worker and after a kill.
    """
    return list(dict.fromkeys(unit_of(run, method, case) for method in run.keys for case in range(len(run.cases))))


def unit_of(run: Run, method: str, case: int) -> Unit:
    """The unit that a case of a method belongs to."""
    size = run.settings.batch_size if run.methods[method].prepare else 1
    first = case - case % size
    return Unit(method, tuple(range(first, min(first + size, len(run.cases)))))
