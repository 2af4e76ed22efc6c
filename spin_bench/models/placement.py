"""How a stack's networks stand on their device: precision, memory format, compilation, and whose turn it is."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn


class Turns:
    """Networks that are never in one graph take turns on the device; those that wait are in main memory.

    A turn lasts until another network of the same `Turns` is called, so a loop over one network moves nothing.
    """

    def __init__(self, device: torch.device):
        self._device = device
        self._members: list[nn.Module] = []

    def add(self, network: nn.Module) -> None:
        self._members.append(network)
        network.register_forward_pre_hook(self._take)

    def _take(self, network: nn.Module, inputs: Any) -> None:
        for other in self._members:
            if other is not network:
                _move(other, torch.device("cpu"))
        _move(network, self._device)


def _move(network: nn.Module, device: torch.device) -> None:
    if any(parameter.device.type != device.type for parameter in network.parameters()):
        nn.Module.to(network, device)


@dataclass(frozen=True)
class Placement:
    """Switches of a stack; none of them changes what is computed beyond rounding."""

    channels_last: bool = False
    compile: str = ""  # a backend of torch.compile for the UNets
    vae_slicing: bool = False
    checkpointing: bool = False
    turns: Turns | None = field(default=None, repr=False)  # of the UNets

    def settle(self, network: Any, device: torch.device, dtype: torch.dtype) -> Any:
        """Frozen, in eval mode, in its precision, on its device."""
        network.requires_grad_(False).eval()
        nn.Module.to(network, device, dtype)  # diffusers' own would warn of an empty list
        if self.channels_last:
            for parameter in network.parameters():
                if parameter.ndim == 4:
                    parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        return network

    def settle_unet(self, network: Any, device: torch.device, dtype: torch.dtype) -> Any:
        """As `settle`; where UNets take turns it waits in main memory, and on its first pass it is compiled."""
        self.settle(network, torch.device("cpu") if self.turns else device, dtype)
        if self.checkpointing:
            network.enable_gradient_checkpointing()
        if self.compile:
            network.compile(backend=self.compile)
        if self.turns:
            self.turns.add(network)
        return network

    def settle_vae(self, network: Any, device: torch.device, dtype: torch.dtype) -> Any:
        self.settle(network, device, dtype)
        if self.vae_slicing:
            network.enable_slicing()
        return network


def set_numerics(*, tf32: bool, cudnn_benchmark: bool) -> dict[str, str]:
    """Set torch's switches that move results in their last digits, and return them as a record of each picture."""
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cudnn.benchmark = cudnn_benchmark
    cudnn = torch.backends.cudnn
    switches = {"tf32": cudnn.allow_tf32, "benchmark": cudnn.benchmark, "deterministic": cudnn.deterministic}
    return {f"cudnn.{name}": str(value).lower() for name, value in switches.items()}
