"""`spin-bench doctor [stack=...] [dataset=...]`: what a run would meet, before it is started.

Loads no weights. `verify=true` also reads every file of the stack and compares its hash.
"""

import platform
import shutil
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import psutil
import torch
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from spin_bench.config.settings import dataset_config, stack_config
from spin_bench.core.errors import UserError
from spin_bench.core.paths import cache_folder
from spin_bench.core.progress import watcher
from spin_bench.cost.forecast import forecast_table
from spin_bench.datasets.benchmarks import dataset_root, validate_hint
from spin_bench.datasets.entry import WARNING
from spin_bench.datasets.tficon import scan
from spin_bench.models.hub.checks import Finding, check_files, disagreements
from spin_bench.models.loading.load import choose_device

PACKAGES = ("torch", "torchvision", "diffusers", "transformers", "huggingface_hub", "safetensors", "open_clip_torch")
GIB = 2**30


def doctor_command(config: DictConfig, console: Console) -> int:
    """Print each section; `UserError` sums up what has to be mended."""
    console.print(_machine(choose_device(stack_config(config).device)))
    sections: tuple[Callable[[DictConfig, Console], list[str]], ...] = (_weights, _benchmark)
    faults = [fault for section in sections for fault in section(config, console)]
    console.print(forecast_table(config, console))
    if faults:
        raise UserError("; ".join(faults))
    console.print("Everything that the run needs is there.")
    return 0


def _machine(device: torch.device) -> Table:
    table = Table("what", "found", title="Machine")
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


def _weights(config: DictConfig, console: Console) -> list[str]:
    stack = stack_config(config)
    findings = check_files(stack, verify=bool(config.verify))
    if not findings:
        console.print(f"Weights: stack {stack.name} needs none from elsewhere; a run checks the shipped ones itself")
        return []
    table = Table("part", "file", "size", "state", "fits", title=f"Weights of {stack.name}")
    for found in findings:
        size = (
            f"{found.size / 1e6:.0f} MB" if found.size >= 1e6 else f"{found.size / 1e3:.0f} kB" if found.size else "?"
        )
        fits = found.fault or ("yes" if found.state == "here" else "")
        table.add_row(found.part, found.name, size, found.state, fits)
    console.print(table)
    lines = disagreements(stack)
    for line in lines:
        console.print(f"Parts that do not fit each other: {line}", soft_wrap=True)
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


def _benchmark(config: DictConfig, console: Console) -> list[str]:
    dataset = dataset_config(config)
    if dataset.name != "mini" and not (dataset.root and Path(dataset.root).is_dir()):
        return [f"dataset={dataset.name}: no folder at {dataset.root!r}: set dataset.root"]
    root = dataset_root(dataset, watcher(console))
    listing = scan(root)
    problems = sum(not line.startswith(WARNING) for line in listing.problems)
    console.print(f"Benchmark: {len(listing.entries)} entries, {problems} problems at {root}", soft_wrap=True)
    return [] if listing.entries else [f"{root}: no usable entry: {validate_hint(dataset)}"]
