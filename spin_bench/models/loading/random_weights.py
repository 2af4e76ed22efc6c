"""Random weights for a true layout: good for shapes, dtypes, memory and time, never for a picture."""

import math
import zlib
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from spin_bench.models.stack import Stack

RANDOM = {"unet": {"weights": "random"}}  # the fingerprint of every such stack

Network = TypeVar("Network", bound=nn.Module)


def filled(module: Network, *, dtype: torch.dtype = torch.float32) -> Network:
    """Give a module that was built under `layouts.bare` memory and weights, the same ones at every call.

    Matrices and kernels are uniform with the variance of 1 / fan-in, which keeps signals finite through any depth;
    vectors are a norm's scale, 1, or a bias, 0.
    """
    for name, owner in [*module.named_modules()]:
        for part, bare in [*owner.named_parameters(recurse=False)]:
            weight = torch.empty(bare.shape, dtype=dtype)
            _draw(weight, part, seed=zlib.crc32(f"{name}.{part}".encode()))
            setattr(owner, part, nn.Parameter(weight, requires_grad=False))
    return module.eval()


def _draw(weight: Tensor, part: str, *, seed: int) -> None:
    if weight.ndim < 2:
        weight.fill_(1.0 if part == "weight" else 0.0)
        return
    fan_in = weight[0].numel()
    bound = math.sqrt(3 / fan_in)
    weight.uniform_(-bound, bound, generator=torch.Generator().manual_seed(seed))


def randomised(stack: Stack) -> Stack:
    """`stack` with random weights in every network; its encoders, which judge, stay as they are."""

    def drawn(load: Callable[[], Any]) -> Callable[[], Any]:
        return lambda: _filled_parts(load())

    networks = ("vae", "unet", "text_encoder", "saliency", "inpaint_unet", "powerpaint", "pixel")
    loaders = {name: drawn(load) for name in networks if (load := getattr(stack.loaders, name)) is not None}
    return replace(stack, loaders=replace(stack.loaders, **loaders), fingerprint=dict(RANDOM), random=True)


def _filled_parts(part: Any) -> Any:
    """A network, or a bundle of some."""
    if isinstance(part, nn.Module):
        return filled(part)
    values = {field.name: getattr(part, field.name) for field in fields(part)}
    return replace(part, **{name: filled(value) for name, value in values.items() if isinstance(value, nn.Module)})
