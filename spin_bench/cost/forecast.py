"""How long the table of a run takes and how much memory, method by method, as a table for the terminal."""

import psutil
import torch
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from spin_bench.config.settings import RunSettings, run_settings
from spin_bench.core.errors import UserError
from spin_bench.core.progress import watcher
from spin_bench.cost.estimates import bare_networks, measured_rate, memory, operations
from spin_bench.cost.passes import PASSES, SALIENCY
from spin_bench.datasets.benchmarks import entries
from spin_bench.methods.registry import methods
from spin_bench.metrics.registry import METRICS
from spin_bench.models.loading.load import DTYPES, choose_device
from spin_bench.run.painting import LESS_MEMORY

PAPER_CASES = 237  # the real domain's, where the benchmark is not here to be counted
GIB, HOUR = 2**30, 3600
SLOWER = "Spin and Uni tune on small batches, which a fast card runs well below that rate: docs/paper-scale.md"


def forecast_table(config: DictConfig, console: Console) -> Table | str:
    """From counted passes and the rate of one convolution on this device; a sentence where the stack has no layout."""
    settings = run_settings(config, methods(), METRICS)
    if not settings.stack.layout:
        return f"Time and memory: stack {settings.stack.name} is small, a case takes seconds; see docs/cost.md"
    device, dtype = choose_device(settings.stack.device), DTYPES[settings.stack.dtype]
    cases, rate = _cases(settings, console), measured_rate(device, dtype)
    networks = bare_networks(settings.stack, dtype)
    per_row = {name: network.operations() for name, network in networks.items()}
    title = f"{cases} cases at {rate / 1e12:.2f} TFLOP/s, which one of the UNet's convolutions reaches here ({dtype})"
    columns = ("method", "images a case", "PFLOP", "hours", "GiB", "fits here")
    table = Table(*columns, title=title, caption=SLOWER if device.type == "cuda" else None)
    free = free_memory(device)
    total = 0.0
    for name, chosen in settings.methods.items():
        if name not in PASSES:
            continue
        images = settings.samples_for.get(name, settings.samples)
        together = min(images, settings.batch_size)
        passes = PASSES[name](chosen, images)
        work = cases * operations(passes, per_row)
        total += work
        complete = set(passes.forward) <= {*networks, SALIENCY}
        needed = memory(name, chosen, passes, together, networks) if complete else 0
        hours = work / rate / HOUR
        fits = "yes" if needed < free else f"no, {free / GIB:.1f} GiB are free: {LESS_MEMORY}"
        figures = (f"{work / 1e15:.1f}", f"{hours:.1f}", f"{needed / GIB:.1f}")
        table.add_row(methods()[name].title, str(images), *figures, fits)
    table.add_row("all", "", f"{total / 1e15:.1f}", f"{total / rate / HOUR:.1f}", "", "")
    return table


def free_memory(device: torch.device) -> int:
    """Bytes: the accelerator's own, else main memory, which mps shares."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else psutil.virtual_memory().available


def _cases(settings: RunSettings, console: Console) -> int:
    try:
        return len(entries(settings.dataset, watcher(console), limit=settings.limit)[0])
    except UserError:
        return settings.limit or PAPER_CASES
