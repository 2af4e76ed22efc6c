"""Every method at Stable Diffusion 1.4's true layout, random weights, 512 px: `python bench/paper_scale.py`.

Two steps of one image, unless told otherwise: on a GPU, `steps=null samples=4 limit=2` is the paper's protocol.

Each method runs in a process of its own, so that its peak memory is its own. Sizes of the networks are compared with
the published ones, their precision with the stack's, every picture with the canvas. None is kept, none means anything.
"""

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psutil
import torch
from rich.console import Console
from rich.table import Table

from spin_bench.config.compose import compose
from spin_bench.config.settings import run_settings
from spin_bench.cost.dry_run import dry_run
from spin_bench.methods.registry import methods
from spin_bench.metrics.registry import METRICS
from spin_bench.models.loading.layouts import PARAMETERS
from spin_bench.models.loading.load import load_stack
from spin_bench.models.stack import Stack

SIX = ("spin", "blended_diffusion", "blended_latent_diffusion", "sd_inpaint", "powerpaint", "uni_paint")
COMPOSED = ("experiment=table1", "stack=sd14", "weights=random", "limit=1", "steps=2", "samples=1")
EVEN = "samples_for.blended_diffusion=${samples}"
CHECKED = {"unet": "sd1.unet", "inpaint_unet": "sd1.inpaint_unet", "text_encoder": "sd1.text_encoder", "vae": "vae"}
GIB = 2**30


def check_networks(stack: Stack, uses: tuple[str, ...]) -> int:
    """Parameters of the networks that a method uses; `ValueError` where one is not as published."""
    total = 0
    for part in set(uses) & set(CHECKED):
        parameters = list(getattr(stack, part).parameters())
        count = sum(parameter.numel() for parameter in parameters)
        if count != PARAMETERS[CHECKED[part]]:
            raise ValueError(f"{part}: {count} parameters, not {PARAMETERS[CHECKED[part]]}")
        if {parameter.dtype for parameter in parameters} != {stack.dtype}:
            raise ValueError(f"{part}: not all of its parameters are {stack.dtype}")
        total += count
    return total


def measure(name: str, overrides: list[str]) -> dict[str, Any]:
    config = compose([*COMPOSED, f"methods=[{name}]", EVEN, *overrides])
    known = methods()
    settings = run_settings(config, known, METRICS)
    stack = load_stack(settings.stack, dry_run=True)
    (found,) = dry_run(settings, stack, known, Console(quiet=True))
    parameters = check_networks(stack, known[name].parts(settings.methods[name]) or ())
    return {**asdict(found), "parameters": parameters, "dtype": str(stack.dtype)[6:], "device": str(stack.device)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--methods", nargs="+", default=SIX, choices=SIX)
    parser.add_argument("--json", type=Path, help="add the figures to this file, too")
    parser.add_argument("overrides", nargs="*", help="as for spin-bench, for example stack.dtype=bfloat16")
    options = parser.parse_args()
    console, table = Console(), Table("method", "M parameters", "dtype", "s", "s a case after the first", "peak GiB")
    figures = json.loads(options.json.read_text()) if options.json and options.json.exists() else {}
    for name in options.methods:
        free = psutil.virtual_memory().available / GIB
        console.print(f"{methods()[name].title}: {free:.1f} GiB free, {torch.get_num_threads()} threads")
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            found = figures[name] = pool.submit(measure, name, options.overrides).result()
        further = "" if found["further"] is None else f"{found['further']:.1f}"
        row = (f"{found['seconds']:.0f}", further, f"{found['peak'] / GIB:.2f}")
        table.add_row(methods()[name].title, f"{found['parameters'] / 1e6:.1f}", found["dtype"], *row)
        if options.json:
            options.json.write_text(json.dumps(figures, indent=2) + "\n")
    console.print(table)


if __name__ == "__main__":
    main()
