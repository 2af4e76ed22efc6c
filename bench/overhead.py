"""How much of a method's time is not the networks': `make bench`.

Every method paints one case with as many images as a run would, its network passes are recorded, and then the same
passes are called bare, in the same order and with the same gradients; where a method tunes weights, Adam's update of
them is shown apart. Wall time of the painting over wall time of the bare passes, minus one, is what the method costs.

Painting and replay alternate for a while. A painting is held against the replays on either side of it, so that a
machine that grows slower or faster favours neither; what counts is the median, and its quartiles stand beside it.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import torch
from recording import recording, replay
from rich.console import Console
from rich.table import Table

from spin_bench.config.compose import compose
from spin_bench.config.settings import RunSettings, run_settings
from spin_bench.core.allocator import keep_memory
from spin_bench.core.case import Case
from spin_bench.core.identity import derive_seed
from spin_bench.core.progress import watcher
from spin_bench.cost.passes import networks
from spin_bench.datasets.benchmarks import load_cases
from spin_bench.methods.registry import methods
from spin_bench.metrics.registry import METRICS
from spin_bench.models.loading.load import load_stack
from spin_bench.models.stack import Stack
from spin_bench.store.artefacts import Artefacts

ROUNDS = 5


def measure(
    name: str, settings: RunSettings, stack: Stack, case: Case, *, samples: int, seconds: float
) -> dict[str, float]:
    """Median seconds of painting, of its bare passes and of their updates of weights, over `seconds` of rounds.

    The first painting is recorded and, with its replay, warms up. At least `ROUNDS` count.
    """
    modules, method = list(dict.fromkeys(networks(stack).values())), methods()[name]
    seeds = [derive_seed(0, case.id, k) for k in range(samples)]

    def painted() -> float:
        # Empty artefacts: nothing is taken from an earlier round.
        painter = method.painter(settings.methods[name], stack.keeping(Artefacts()))
        started = time.perf_counter()
        painter(case, seeds)
        return time.perf_counter() - started

    with recording(modules) as recorded:
        painted()
    replay(recorded)
    paintings: list[float] = []
    replays = [replay(recorded)]
    started = time.perf_counter()
    while len(paintings) < ROUNDS or time.perf_counter() - started < seconds:
        paintings.append(painted())
        replays.append(replay(recorded))
    ratios = (2 * w / (sum(a) + sum(b)) for w, a, b in zip(paintings, replays[:-1], replays[1:], strict=True))
    low, middle, high = (ratio - 1 for ratio in statistics.quantiles(ratios, n=4))
    bare, update = (statistics.median(column) for column in zip(*replays, strict=True))
    return {
        "samples": samples,
        "seconds": statistics.median(paintings),
        "bare_seconds": bare,
        "update_seconds": update,
        "passes": len(recorded),
        "rounds": len(paintings),
        "overhead": middle,
        "overhead_low": low,
        "overhead_high": high,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, help="a case; else as many as the experiment has it")
    parser.add_argument("--seconds", type=float, default=60.0, help="of rounds a method, at least")
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    parser.add_argument("overrides", nargs="*", help="as for spin-bench, for example methods=[spin] stack.device=cpu")
    options = parser.parse_args()
    keep_memory()
    console, config = Console(), compose(["experiment=table1", *options.overrides])
    known = {name: method for name, method in methods().items() if not method.bound}
    config.methods = [name for name in config.methods if name in known]
    settings = run_settings(config, known, METRICS)
    stack = load_stack(settings.stack)
    here = [name for name, own in settings.methods.items() if not stack.missing(known[name].parts(own) or ())]
    [case] = load_cases(settings.dataset, watcher(console), limit=1, canvas=stack.canvas).cases
    table = Table("method", "images", "s", "bare", "Adam", "passes", "outside %", "quartiles")
    figures = {}
    for name in here:
        samples = options.samples or settings.samples_for.get(name, settings.samples)
        figures[name] = measure(name, settings, stack, case, samples=samples, seconds=options.seconds)
        found = figures[name]
        seconds = (f"{found[part]:.2f}" for part in ("seconds", "bare_seconds", "update_seconds"))
        outside, low, high = (f"{100 * found[f'overhead{part}']:.1f}" for part in ("", "_low", "_high"))
        row = known[name].title, str(samples), *seconds, str(found["passes"]), outside, f"{low} to {high}"
        table.add_row(*row)
    console.print(table)
    console.print(f"one case, {torch.get_num_threads()} threads")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
