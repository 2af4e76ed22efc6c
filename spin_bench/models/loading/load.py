"""Stacks by name."""

from collections.abc import Callable

import torch

from spin_bench.core.errors import UserError, unknown
from spin_bench.models.config import StackConfig
from spin_bench.models.loading.mini import load_mini
from spin_bench.models.loading.stable_diffusion import load_stable_diffusion
from spin_bench.models.stack import Stack

STACKS: dict[str, Callable[[StackConfig, torch.device, torch.dtype], Stack]] = {
    "mini": load_mini,
    "sd14": load_stable_diffusion,
    "sd15": load_stable_diffusion,
    "sd21": load_stable_diffusion,
}

WEIGHTS = ("published", "random")
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def choose_device(name: str) -> torch.device:
    """ "auto" takes the best there is; asking for one that is not there is a `UserError`."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind, available in there.items() if available))
    if name.split(":")[0] not in there:
        raise unknown("device", name, ["auto", *there])
    if not there[name.split(":")[0]]:
        raise UserError(f"stack.device={name}: torch sees no such device here: use stack.device=auto")
    return torch.device(name)


def load_stack(config: StackConfig, *, dry_run: bool = False) -> Stack:
    """Raises `UserError` for a name, device, precision or file that is not there.

    Random weights are for a dry run alone: whatever else asks for them is refused, so that none gets into a table.
    """
    if config.name not in STACKS:
        raise unknown("stack", config.name, list(STACKS))
    if config.dtype not in DTYPES:
        raise unknown("stack.dtype", config.dtype, list(DTYPES))
    if config.weights not in WEIGHTS:
        raise unknown("weights", config.weights, list(WEIGHTS))
    if config.weights == "random" and not dry_run:
        raise UserError("weights=random: its pictures mean nothing, so no table is made of them: add dry_run=true")
    return STACKS[config.name](config, choose_device(config.device), DTYPES[config.dtype])
