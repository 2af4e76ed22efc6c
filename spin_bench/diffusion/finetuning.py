"""Tuning a shared network for one case, and having it back as it was, whatever happens in between."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from diffusers.models.attention_processor import Attention
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


@contextmanager
def finetuning(network: Network, dtype: torch.dtype | None = None) -> Iterator[Network]:
    """Replace the weights and buffers of `network` by copies within the block, the weights ready for an optimizer.

    The originals are set aside, not written, so they come back bit for bit, even if an exception or Ctrl-C ends the
    block; so do training modes and attention processors. The copies are of `dtype`, if one is given.
    """
    parts = list(network.modules())
    tensors = [(part, name, tensor) for part in parts for name, tensor in _own_tensors(part)]
    modes = [part.training for part in parts]
    processors = [(part, part.processor) for part in parts if isinstance(part, Attention)]
    copies = {tensor: _copy(tensor, dtype) for _, _, tensor in tensors}  # tied weights stay tied
    try:
        for part, name, tensor in tensors:
            setattr(part, name, copies[tensor])
        yield network
    finally:
        for part, name, tensor in tensors:
            setattr(part, name, tensor)
        for part, mode in zip(parts, modes, strict=True):
            part.training = mode
        for part, processor in processors:
            part.set_processor(processor)


def _own_tensors(part: nn.Module) -> list[tuple[str, Tensor]]:
    return [
        *part.named_parameters(recurse=False, remove_duplicate=False),
        *part.named_buffers(recurse=False, remove_duplicate=False),
    ]


def _copy(tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    copied = tensor.detach().clone()
    if dtype is not None and copied.is_floating_point():
        copied = copied.to(dtype)
    return nn.Parameter(copied) if isinstance(tensor, nn.Parameter) else copied
