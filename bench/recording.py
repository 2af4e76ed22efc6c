"""A method's network passes, recorded in the order in which it made them, and the same passes called bare.

Forwards and backwards are recorded apart, since a method may run one network's forward before another's backward, which
the processor's caches feel. A backward is recorded with the gradient that came in from the method.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class Forward:
    """One call of a network, with everything that it depended on."""

    module: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    processors: dict[str, Any] | None  # of attention, as they stood
    graph: bool  # its result wanted a gradient
    tuned: bool  # the weights wanted gradients, too


@dataclass(frozen=True, eq=False)
class Backward:
    """The way back through a forward."""

    forward: Forward
    gradient: Tensor  # of its result


Recording = list[Forward | Backward]


@contextmanager
def recording(modules: list[nn.Module]) -> Iterator[Recording]:
    """Record every pass through `modules` while the context lasts."""
    found: Recording = []
    modules = list(dict.fromkeys(modules))  # two parts of a stack may be one network
    for module in modules:
        module.forward = _recorder(module, found)  # type: ignore[method-assign]
    try:
        yield found
    finally:
        for module in modules:
            del module.forward


def _recorder(module: nn.Module, found: Recording) -> Any:
    original = module.forward

    def forward(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        first = _first(result)
        tuned = torch.is_grad_enabled() and any(p.requires_grad for p in module.parameters())
        inputs = tuple(map(_detached, args)), {name: _detached(value) for name, value in kwargs.items()}
        processors = dict(module.attn_processors) if hasattr(module, "attn_processors") else None
        call = Forward(module, *inputs, processors, first.requires_grad, tuned)
        found.append(call)
        if first.requires_grad:
            first.register_hook(lambda gradient: found.append(Backward(call, gradient.detach().clone())))
        return result

    return forward


def _first(result: Any) -> Tensor:
    return result if isinstance(result, Tensor) else result[0]


def _detached(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    return value


def replay(recorded: Recording) -> tuple[float, float]:
    """Seconds of the bare passes alone, and of Adam's updates of tuned weights alone."""
    seconds = update_seconds = 0.0
    awaited = {call.forward for call in recorded if isinstance(call, Backward)}
    results: dict[Forward, Tensor] = {}
    optimizers: dict[nn.Module, torch.optim.Optimizer] = {}
    for call in recorded:
        if isinstance(call, Forward):
            spent, result = _forward(call)
            seconds += spent
            if call in awaited:
                results[call] = result
            del result
            continue
        passed = call.forward
        wanted = _wanted(passed)
        started = time.perf_counter()
        gradients = torch.autograd.grad(results.pop(passed), wanted, call.gradient, allow_unused=True)
        seconds += time.perf_counter() - started
        if passed.tuned:
            if passed.module not in optimizers:
                # A rate of 0 costs the same and leaves the weights as they are.
                optimizers[passed.module] = torch.optim.Adam(passed.module.parameters(), lr=0.0, fused=True)
            update_seconds += _update(optimizers[passed.module], wanted, gradients)
        passed.module.requires_grad_(False)
    return seconds, update_seconds


def _forward(call: Forward) -> tuple[float, Tensor]:
    before = dict(call.module.attn_processors) if call.processors is not None else None
    if call.processors is not None:
        call.module.set_attn_processor(dict(call.processors))
    if call.graph:
        for tensor in _wanted(call):
            tensor.requires_grad_()
    started = time.perf_counter()
    with torch.set_grad_enabled(call.graph):
        result = call.module(*call.args, **call.kwargs)
    spent = time.perf_counter() - started
    if before is not None:
        call.module.set_attn_processor(before)
    return spent, _first(result)


def _wanted(call: Forward) -> list[Tensor]:
    """What the gradient of a forward's result is taken to."""
    wanted = [v for v in (*call.args, *call.kwargs.values()) if isinstance(v, Tensor) and v.requires_grad]
    if call.tuned:
        return wanted + list(call.module.parameters())
    # A hook spliced in what was learned (Spin's token vectors): as far back as the first weights, that is.
    return wanted or [next(call.module.parameters())]


def _update(optimizer: torch.optim.Optimizer, wanted: list[Tensor], gradients: tuple[Tensor | None, ...]) -> float:
    for tensor, gradient in zip(wanted, gradients, strict=True):
        tensor.grad = gradient
    started = time.perf_counter()
    optimizer.step()
    seconds = time.perf_counter() - started
    for tensor in wanted:
        tensor.grad = None
    return seconds
