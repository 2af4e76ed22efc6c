"""How much of a method's time is not the networks': `make bench`.

Every method paints one case, its network passes are recorded, and then the same passes are called bare, one after the
other, with the gradients that the method asked for and, where it tunes the weights, Adam's update of them, which is
shown apart. Wall time of the painting over wall time of the bare passes, minus one, is what the method itself costs.
Painting and replay alternate for a while; what counts is the median of their ratios, which a machine that now runs
faster, now slower does not move. Its quartiles stand beside it.
"""

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from spin_bench.artefacts import Artefacts
from spin_bench.case import Case
from spin_bench.cli import compose
from spin_bench.datasets import entries
from spin_bench.datasets.tficon import load_case
from spin_bench.identity import derive_seed
from spin_bench.methods import methods
from spin_bench.metrics.registry import METRICS
from spin_bench.painter import Painter
from spin_bench.progress import watcher
from spin_bench.settings import RunSettings, run_settings
from spin_bench.stack import Stack
from spin_bench.stacks.load import load_stack

ROUNDS = 5


@dataclass(frozen=True)
class Pass:
    """One call of a network, with everything that it depended on."""

    module: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    processors: dict[str, Any] | None  # of attention, as they stood
    backward: bool
    tuned: bool  # the weights wanted gradients, too


def _detached(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    return value


def _networks(stack: Stack) -> dict[str, nn.Module]:
    """Whatever a method may call; loading them here keeps loading out of the clock."""
    found: dict[str, nn.Module | None] = {
        "unet": stack.unet,
        "vae.encoder": stack.vae.encoder,
        "vae.decoder": stack.vae.decoder,
        "text_encoder": stack.text_encoder,
        "clip.visual": stack.clip._model.visual,  # type: ignore[attr-defined]
        "saliency": stack.saliency,
    }
    lacking = stack.missing()
    if "inpaint_unet" not in lacking:
        found["inpaint_unet"] = stack.inpaint_unet
    if "powerpaint" not in lacking:
        found |= {"powerpaint.unet": stack.powerpaint.unet, "powerpaint.text_encoder": stack.powerpaint.text_encoder}
    if "pixel" not in lacking:
        found["pixel.unet"] = stack.pixel.unet
    return {name: module for name, module in found.items() if module is not None}


@contextmanager
def _recording(networks: dict[str, nn.Module]) -> Iterator[list[Pass]]:
    passes: list[Pass] = []
    originals = {name: module.forward for name, module in networks.items()}

    def recorder(module: nn.Module, original: Any) -> Any:
        def forward(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            first = result if isinstance(result, Tensor) else result[0]
            tuned = torch.is_grad_enabled() and any(p.requires_grad for p in module.parameters())
            inputs = tuple(map(_detached, args)), {name: _detached(value) for name, value in kwargs.items()}
            processors = dict(module.attn_processors) if hasattr(module, "attn_processors") else None
            passes.append(Pass(module, *inputs, processors, first.requires_grad, tuned))
            return result

        return forward

    for name, module in networks.items():
        module.forward = recorder(module, originals[name])  # type: ignore[method-assign]
    try:
        yield passes
    finally:
        for module in networks.values():
            del module.forward


def _replay(passes: list[Pass]) -> tuple[float, float]:
    """Seconds of the bare passes alone, and of the updates of tuned weights alone."""
    seconds = update_seconds = 0.0
    optimizers: dict[nn.Module, torch.optim.Optimizer] = {}
    for call in passes:
        before = dict(call.module.attn_processors) if call.processors is not None else None
        if call.processors is not None:
            call.module.set_attn_processor(dict(call.processors))
        wanted = [v for v in (*call.args, *call.kwargs.values()) if isinstance(v, Tensor) and v.requires_grad]
        if call.tuned:
            call.module.requires_grad_(True)
            wanted += list(call.module.parameters())
        elif call.backward and not wanted:
            # A hook spliced in what was learned (Spin's token vectors): as far back as the first weights, that is.
            wanted = [next(call.module.parameters()).requires_grad_()]
        started = time.perf_counter()
        with torch.set_grad_enabled(call.backward):
            result = call.module(*call.args, **call.kwargs)
            if call.backward:
                first = result if isinstance(result, Tensor) else result[0]
                gradients = torch.autograd.grad(first, wanted, torch.ones_like(first), allow_unused=True)
        seconds += time.perf_counter() - started
        if call.tuned:
            if call.module not in optimizers:
                # A rate of 0 costs the same and leaves the weights as they are.
                optimizers[call.module] = torch.optim.Adam(call.module.parameters(), lr=0.0, fused=True)
            update_seconds += _update(optimizers[call.module], wanted, gradients)
        call.module.requires_grad_(False)
        if before is not None:
            call.module.set_attn_processor(before)
    return seconds, update_seconds


def _update(optimizer: torch.optim.Optimizer, wanted: list[Tensor], gradients: tuple[Tensor | None, ...]) -> float:
    for tensor, gradient in zip(wanted, gradients, strict=True):
        tensor.grad = gradient
    started = time.perf_counter()
    optimizer.step()
    seconds = time.perf_counter() - started
    for tensor in wanted:
        tensor.grad = None
    return seconds


def _painted(painter: Painter, case: Case, samples: int) -> float:
    started = time.perf_counter()
    painter(case, [derive_seed(0, case.id, k) for k in range(samples)])
    return time.perf_counter() - started


def measure(
    name: str, settings: RunSettings, stack: Stack, case: Case, *, samples: int, seconds: float
) -> dict[str, float]:
    """Median seconds of painting, of its bare passes and of their updates of weights, over `seconds` of rounds.

    The first painting is recorded and, with its replay, warms up. At least `ROUNDS` count.
    """
    networks, method = _networks(stack), methods()[name]

    def painted() -> float:
        with TemporaryDirectory() as folder:  # empty: nothing is taken from an earlier round
            painter = method.build(settings.methods[name], stack, Artefacts(Path(folder)))
            return _painted(painter, case, samples)

    with _recording(networks) as passes:
        painted()
    _replay(passes)
    rounds: list[tuple[float, float, float]] = []
    started = time.perf_counter()
    while len(rounds) < ROUNDS or time.perf_counter() - started < seconds:
        rounds.append((painted(), *_replay(passes)))
    wall, bare, update = (statistics.median(column) for column in zip(*rounds, strict=True))
    low, middle, high = statistics.quantiles((w / (b + u) - 1 for w, b, u in rounds), n=4)
    return {
        "seconds": wall,
        "bare_seconds": bare,
        "update_seconds": update,
        "passes": len(passes),
        "rounds": len(rounds),
        "overhead": middle,
        "overhead_low": low,
        "overhead_high": high,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=60.0, help="of rounds a method, at least")
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    parser.add_argument("overrides", nargs="*", help="as for spin-bench, for example methods=[spin] stack.device=cpu")
    options = parser.parse_args()
    console, config = Console(), compose(["experiment=table1", *options.overrides])
    known = {name: method for name, method in methods().items() if not method.bounding}
    config.methods = [name for name in config.methods if name in known]
    settings = run_settings(config, known, METRICS)
    stack = load_stack(settings.stack)
    here = [name for name in settings.methods if not stack.missing(known[name].uses or ())]
    case = load_case(next(iter(entries(settings.dataset, watcher(console), limit=1))), stack.canvas)
    table = Table("method", "s", "bare s", "Adam s", "passes", "rounds", "outside", "quartiles")
    figures = {}
    for name in here:
        figures[name] = measure(name, settings, stack, case, samples=options.samples, seconds=options.seconds)
        found = figures[name]
        seconds = (f"{found[part]:.2f}" for part in ("seconds", "bare_seconds", "update_seconds"))
        outside, low, high = (f"{found[part]:.1%}" for part in ("overhead", "overhead_low", "overhead_high"))
        counts = str(found["passes"]), str(found["rounds"])
        table.add_row(known[name].title, *seconds, *counts, outside, f"{low} to {high}")
    console.print(table)
    console.print(f"{options.samples} images of one case, {torch.get_num_threads()} threads")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
