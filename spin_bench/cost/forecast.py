"""How long the table of a run takes, method by method, as a table for the terminal."""

from collections.abc import Mapping
from dataclasses import replace

from rich.console import Console
from rich.table import Table

from spin_bench.config.settings import RunSettings
from spin_bench.core.case import Case
from spin_bench.core.errors import UserError
from spin_bench.core.progress import watcher
from spin_bench.cost.operations import measured_rate, operations_per_row
from spin_bench.cost.passes import Passes, count_passes
from spin_bench.datasets.benchmarks import DatasetConfig, entries, load_cases
from spin_bench.methods.registry import methods
from spin_bench.mini.world import CANVAS
from spin_bench.models.config import StackConfig
from spin_bench.models.loading.load import DTYPES, choose_device, load_stack
from spin_bench.models.stack import Stack

PAPER_CASES = 237  # the real domain's, where the benchmark is not here to be counted
HOUR = 3600
MEMORY = "Memory: the same command with dry_run=true measures it."
SLOWER = "Spin and Uni tune on small batches, which a fast card runs well below that rate: docs/paper-scale.md. "


def forecast_table(settings: RunSettings, console: Console) -> Table | str:
    """From passes counted on the embedded stack, their operations at the stack's own layout, and this device's rate.

    A sentence if the stack has no layout.
    """
    known = methods()
    if not settings.stack.layout:
        return f"Time and memory: stack {settings.stack.name} is small, a case takes seconds; see docs/cost.md"
    device, dtype = choose_device(settings.stack.device), DTYPES[settings.stack.dtype]
    cases, rate = _cases(settings, console), measured_rate(device, dtype)
    per_row = operations_per_row(settings.stack)
    title = f"{cases} cases at {rate / 1e12:.2f} TFLOP/s, which one of the UNet's convolutions reaches here ({dtype})"
    caption = SLOWER + MEMORY if device.type == "cuda" else MEMORY
    table = Table("method", "images a case", "PFLOP", "hours", title=title, caption=caption)
    small, case = _embedded(console)
    total = 0.0
    for name, own in settings.methods.items():
        method = known[settings.variants[name].method if name in settings.variants else name]
        if method.bound:
            continue
        images = settings.samples_for.get(name, settings.samples)
        try:
            work = cases * operations(count_passes(method, own, images, stack=small, case=case), per_row)
        except UserError as error:
            table.add_row(method.title, str(images), "", f"not counted: {error}")
            continue
        total += work
        table.add_row(method.title, str(images), f"{work / 1e15:.1f}", f"{work / rate / HOUR:.1f}")
    table.add_row("all", "", f"{total / 1e15:.1f}", f"{total / rate / HOUR:.1f}")
    return table


def operations(passes: Passes, per_row: Mapping[str, int]) -> int:
    """Of a whole case; networks of a few rows that have no published layout, such as saliency, are left out."""
    return sum(count * per_row.get(name, 0) for name, count in passes.rows.items())


def _embedded(console: Console) -> tuple[Stack, Case]:
    cases = load_cases(DatasetConfig(name="mini"), watcher(console), limit=1, canvas=CANVAS).cases
    stack = load_stack(StackConfig(name="mini", canvas=CANVAS, device="cpu"))
    return replace(stack, loaders=replace(stack.loaders, guide=stack.loaders.clip)), cases[0]


def _cases(settings: RunSettings, console: Console) -> int:
    try:
        return len(entries(settings.dataset, watcher(console), limit=settings.limit)[0])
    except UserError:
        return settings.limit or PAPER_CASES
