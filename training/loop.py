"""The loop that trains every embedded model: stateless batches, averaged weights, checkpoints it resumes from.

Batch `step` is drawn from a generator seeded by plan and step alone, so a killed run that resumes from its checkpoint
ends with the same weights as one that was never stopped.
"""

import contextlib
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

M = TypeVar("M", bound=nn.Module)

log = logging.getLogger(__name__)

# Loss of one step: called with the step number and a generator seeded by it; may return named parts for the log.
StepLoss = Callable[[int, torch.Generator], tuple[Tensor, dict[str, float]]]


@dataclass(frozen=True)
class Plan:
    """How long and how fast to train."""

    steps: int
    lr: float
    warmup: int = 200
    decay: float = 1.0  # last share of the steps, over which a cosine lowers the rate
    final_lr: float = 0.05  # of `lr`, where the cosine ends
    weight_decay: float = 0.01
    ema: float = 0.999
    clip: float = 1.0  # gradient norm
    checkpoint_seconds: float = 120.0
    log_steps: int = 50
    seed: int = 0  # of the first batch; a further round over the same data takes another

    def lr_at(self, step: int) -> float:
        if step < self.warmup:
            return self.lr * (step + 1) / self.warmup
        start = max(self.warmup, round(self.steps * (1 - self.decay)))
        progress = min(1.0, max(0, step - start) / max(1, self.steps - start))
        return self.lr * (self.final_lr + (1 - self.final_lr) * (1 + math.cos(math.pi * progress)) / 2)


def autocast(device: torch.device) -> contextlib.AbstractContextManager[None]:
    """bfloat16 where the device multiplies it natively, else full precision."""
    if device.type in ("cuda", "cpu"):
        return torch.autocast(device.type, torch.bfloat16)
    return contextlib.nullcontext()


def placed(module: M, device: torch.device) -> M:
    """`module` on `device` with channels-last weights, which the CPU's convolutions read faster."""
    # torch's stubs do not know the argument
    return module.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def _state(module: nn.Module, average: dict[str, Tensor], optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    tensors = {f"module.{name}": tensor for name, tensor in module.state_dict().items()}
    tensors |= {f"average.{name}": tensor for name, tensor in average.items()}
    for index, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": tensor for name, tensor in moments.items()}
    return {name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}


def _save(path: Path, step: int, tensors: dict[str, Tensor]) -> None:
    unfinished = path.with_suffix(".tmp")
    save_file(tensors, unfinished, metadata={"step": str(step)})
    unfinished.replace(path)


def steps_done(checkpoint: Path) -> int:
    """How far the run of `checkpoint` came; 0 where it never began."""
    if not checkpoint.exists():
        return 0
    with safe_open(checkpoint, framework="pt") as file:
        return int(file.metadata()["step"])


def _resume(path: Path, module: nn.Module, average: dict[str, Tensor], optimizer: torch.optim.Optimizer) -> int:
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    module.load_state_dict({n.removeprefix("module."): t for n, t in tensors.items() if n.startswith("module.")})
    for name, tensor in average.items():
        tensor.copy_(tensors[f"average.{name}"])
    moments: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".")
            moments.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
    return steps_done(path)


@torch.no_grad()
def _update_average(average: dict[str, Tensor], module: nn.Module, decay: float, step: int) -> None:
    weight = 1 - min(decay, (1 + step) / (10 + step))
    values = dict(module.named_parameters())
    torch._foreach_lerp_(list(average.values()), [values[name].detach() for name in average], weight)


def train(module: nn.Module, loss: StepLoss, *, plan: Plan, checkpoint: Path, device: torch.device) -> None:
    """Minimise `loss` over `module` and leave the averaged weights in it; resumes from `checkpoint` where it exists."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=plan.lr, betas=(0.9, 0.99), weight_decay=plan.weight_decay)
    average = {name: p.detach().clone() for name, p in module.named_parameters() if p.requires_grad}
    first = _resume(checkpoint, module, average, optimizer) if checkpoint.exists() else 0
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    started = saved = time.monotonic()
    module.train()
    running: dict[str, float | Tensor] = {}
    for step in range(first, plan.steps):
        for group in optimizer.param_groups:
            group["lr"] = plan.lr_at(step)
        value, parts = loss(step, torch.Generator().manual_seed(plan.seed + step))
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(parameters, plan.clip)
        optimizer.step()
        _update_average(average, module, plan.ema, step)
        # The loss stays a tensor until it is printed: reading it at each step would make the CPU wait for the device.
        shown: dict[str, float | Tensor] = {"loss": value.detach(), **parts}
        for name, part in shown.items():
            running[name] = running.get(name, part) * 0.98 + part * 0.02
        now = time.monotonic()
        if (step + 1) % plan.log_steps == 0:
            rate = (step + 1 - first) / (now - started)
            figures = " ".join(f"{name} {float(part):.4f}" for name, part in running.items())
            eta = (plan.steps - step - 1) / rate / 60
            log.info("step %d/%d %s | %.2f steps/s, %.0f min left", step + 1, plan.steps, figures, rate, eta)
        if now - saved > plan.checkpoint_seconds or step + 1 == plan.steps:
            _save(checkpoint, step + 1, _state(module, average, optimizer))
            saved = now
    module.load_state_dict(average, strict=False)
    module.eval()
