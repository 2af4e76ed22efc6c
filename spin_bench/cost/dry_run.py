"""Every method over a few cases, for its time and memory alone: no table, nothing kept.

One network set is loaded at a time, so that a method's peak is its own. Where `steps` is below a method's own number,
its optimisation is cut to as many iterations: a dry run with `steps=2` would otherwise still tune for two hundred.
"""

import gc
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from rich.console import Console
from rich.table import Table

from spin_bench.config.settings import RunSettings
from spin_bench.core.case import Case
from spin_bench.core.errors import UserError
from spin_bench.core.identity import derive_seed
from spin_bench.core.progress import watcher
from spin_bench.cost.memory import peak_bytes
from spin_bench.datasets.benchmarks import load_cases
from spin_bench.methods.method import Method
from spin_bench.models.stack import Stack
from spin_bench.run.painting import Halving
from spin_bench.store.artefacts import Artefacts


@dataclass(frozen=True)
class Measured:
    """What one method took."""

    method: str
    images: int
    seconds: float  # of all cases, making the networks included
    further: float | None  # seconds a case after the first, which makes the networks and warms up; None of one case
    peak: int  # bytes, networks included


def dry_run(settings: RunSettings, stack: Stack, known: Mapping[str, Method], console: Console) -> list[Measured]:
    """Paint the run's cases with each of its methods and print what that took; pictures are checked, then forgotten."""
    cases = load_cases(settings.dataset, watcher(console), limit=settings.limit, canvas=stack.canvas).cases
    measured = []
    for name, chosen in settings.methods.items():
        method = known[name]
        if method.bound:
            continue
        if missing := stack.missing(method.parts(chosen) or ()):
            console.print(f"{method.title} left out: stack {stack.name} has no {' and no '.join(missing)} model")
            continue
        samples = settings.samples_for.get(name, settings.samples)
        measured.append(
            _measure(
                name,
                method,
                shortened(chosen),
                replace(stack, artefacts=Artefacts()),
                cases,
                samples,
                settings.base_seed,
            )
        )
        found_now = measured[-1]
        console.print(f"{method.title}: {found_now.seconds:.1f} s, {found_now.peak / 2**30:.2f} GiB")
        gc.collect()
    console.print(_table(measured, known, stack))
    return measured


def shortened(settings: Any) -> Any:
    """`settings` with every number of iterations cut to the number of steps, where that is below the method's own."""

    def cut(part: Any, steps: int) -> Any:
        values = {field.name: getattr(part, field.name) for field in fields(part)}
        changed = {name: cut(value, steps) for name, value in values.items() if is_dataclass(value)}
        if "iterations" in values:
            changed["iterations"] = min(values["iterations"], steps)
        return replace(part, **changed)

    fewer = hasattr(settings, "steps") and settings.steps < type(settings)().steps
    return cut(settings, settings.steps) if fewer else settings


def _measure(
    name: str, method: Method, settings: Any, stack: Stack, cases: Sequence[Case], samples: int, base_seed: int
) -> Measured:
    images = 0
    with peak_bytes(stack.device) as peak:
        times = [time.perf_counter()]
        painter = Halving(method.painter(settings, stack))
        for case in cases:
            pictures = painter(case, [derive_seed(base_seed, case.id, k) for k in range(samples)])
            images += len(pictures)
            for picture in pictures:
                if (picture.mode, picture.size) != ("RGB", (stack.canvas, stack.canvas)):
                    raise UserError(f"{name}: painted {picture.mode} {picture.size}, not RGB of {stack.canvas} px")
            times.append(time.perf_counter())  # pictures lie in main memory: no work is left on the device
        further = (times[-1] - times[1]) / (len(cases) - 1) if len(cases) > 1 else None
        return Measured(name, images, times[-1] - times[0], further, peak())


def _table(measured: Sequence[Measured], known: Mapping[str, Method], stack: Stack) -> Table:
    weights = "random weights" if stack.random else "its own weights"
    title = f"Dry run: {stack.name}, {weights}, {stack.canvas} px, {str(stack.dtype)[6:]}, {stack.device}"
    table = Table("method", "images", "s", "s a case after the first", "peak GiB", title=title)
    for found in measured:
        further = "" if found.further is None else f"{found.further:.1f}"
        row = (str(found.images), f"{found.seconds:.1f}", further, f"{found.peak / 2**30:.2f}")
        table.add_row(known[found.method].title, *row)
    return table
