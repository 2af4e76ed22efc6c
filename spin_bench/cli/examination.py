"""The sections of `spin-bench doctor`."""

import platform
import shutil
from importlib.metadata import version
from pathlib import Path

import psutil
import torch
from rich.console import Console
from rich.table import Table
from rich.text import Text

from spin_bench.cli.terminal import say
from spin_bench.config.settings import RunSettings
from spin_bench.core.paths import cache_folder
from spin_bench.core.progress import watcher
from spin_bench.cost.forecast import forecast_table
from spin_bench.datasets.benchmarks import DatasetConfig, dataset_root, validate_hint
from spin_bench.datasets.entry import WARNING
from spin_bench.datasets.tficon import scan
from spin_bench.models.config import StackConfig
from spin_bench.models.hub.checks import Finding, check_files, disagreements
from spin_bench.models.loading.load import choose_device

PACKAGES = ("torch", "torchvision", "diffusers", "transformers", "huggingface_hub", "safetensors", "open_clip_torch")
GIB = 2**30


def examine(settings: RunSettings, console: Console, *, verify: bool) -> list[str]:
    """Print a section each of machine, weights, benchmark and cost; returns what has to be mended."""
    console.print(_machine(choose_device(settings.stack.device)))
    faults = [*_weights(settings.stack, console, verify=verify), *_benchmark(settings.dataset, console)]
    console.print(forecast_table(settings, console))
    return faults


def _machine(device: torch.device) -> Table:
    table = Table("what", "here", title="Machine")
    table.add_row("python", platform.python_version())
    for package in PACKAGES:
        table.add_row(package, version(package))
    table.add_row("device", device_in_words(device))
    table.add_row("main memory", f"{psutil.virtual_memory().available / GIB:.1f} GiB free")
    place = next(path for path in (cache_folder(), *cache_folder().parents) if path.exists())
    table.add_row("disk", f"{shutil.disk_usage(place).free / GIB:.0f} GiB free at {place}")
    return table


def device_in_words(device: torch.device) -> str:
    """Name and memory of an accelerator, cores of a CPU."""
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        return f"{torch.cuda.get_device_name(device)}, {free / GIB:.1f} of {total / GIB:.1f} GiB free"
    return f"{device.type}, {psutil.cpu_count(logical=False)} cores, {torch.get_num_threads()} threads"


def _weights(stack: StackConfig, console: Console, *, verify: bool) -> list[str]:
    findings = check_files(stack, verify=verify)
    if not findings:
        console.print(f"Weights: stack {stack.name} needs none from elsewhere; a run checks the shipped ones itself")
        return []
    table = Table("part", "file", "size", "state", "fits", title=f"Weights of {stack.name}")
    for file in findings:
        size = f"{file.size / 1e6:.0f} MB" if file.size >= 1e6 else f"{file.size / 1e3:.0f} kB" if file.size else "?"
        fits = file.fault or ("yes" if file.state == "here" else "")
        table.add_row(file.part, file.name, size, file.state, Text(fits))
    console.print(table)
    lines = disagreements(stack)
    for line in lines:
        say(console, f"Parts that do not fit each other: {line}")
    return _summed_up(findings, stack.name) + lines


def _summed_up(findings: list[Finding], stack: str) -> list[str]:
    """Blended's model is not counted: without it that method is left out, and all others run."""
    needed = [found for found in findings if found.part != "pixel"]
    missing = sum(found.state == "missing" for found in needed)
    altered = [found.name for found in needed if found.state == "altered"]
    unfit = [f"{found.name}: {found.fault}" for found in findings if found.state == "here" and found.fault]
    faults = [f"{missing} of {len(needed)} files are missing: run spin-bench download stack={stack}"] if missing else []
    faults += [f"altered: {', '.join(altered)}: run spin-bench download stack={stack}"] if altered else []
    return faults + unfit


def _benchmark(dataset: DatasetConfig, console: Console) -> list[str]:
    if dataset.name != "mini" and not (dataset.root and Path(dataset.root).is_dir()):
        return [f"dataset={dataset.name}: no folder at {dataset.root!r}: set dataset.root"]
    root = dataset_root(dataset, watcher(console))
    listing = scan(root)
    problems = sum(not line.startswith(WARNING) for line in listing.problems)
    say(console, f"Benchmark: {len(listing.entries)} entries, {problems} problems at {root}")
    return [] if listing.entries else [f"{root}: no usable entry: {validate_hint(dataset)}"]
