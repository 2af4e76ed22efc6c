"""What learning several references in one batch saves over one by one: `make bench-extraction`.

Both ways learn the embeddings of the same cases with nothing kept from before, by turns; the fastest of each counts.
They must agree, since a batch is not allowed to change what is learned.
"""

import argparse
import time

import torch
from rich.console import Console
from torch import Tensor

from spin_bench.config.compose import compose
from spin_bench.config.settings import run_settings
from spin_bench.core.case import Case
from spin_bench.core.progress import watcher
from spin_bench.datasets.benchmarks import load_cases
from spin_bench.methods.registry import methods
from spin_bench.metrics.registry import METRICS
from spin_bench.models.loading.load import load_stack
from spin_bench.models.stack import Stack
from spin_bench.spin.references import reference_embeddings
from spin_bench.spin.settings import EmbeddingSettings
from spin_bench.store.artefacts import Artefacts

AGREE = 1e-4


def learned(cases: list[Case], settings: EmbeddingSettings, stack: Stack, *, together: int) -> tuple[float, Tensor]:
    """Seconds a reference, and the embeddings (cases, vectors, width)."""
    stack, embeddings = stack.keeping(Artefacts()), []
    started = time.perf_counter()
    for first in range(0, len(cases), together):
        embeddings += reference_embeddings(cases[first : first + together], settings, stack)
    return (time.perf_counter() - started) / len(cases), torch.cat([embedding.value for embedding in embeddings])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("overrides", nargs="*", help="as for spin-bench, for example settings.spin.embedding.vectors=2")
    options = parser.parse_args()
    config = compose(["experiment=table1", "methods=[spin]", f"limit={options.batch}", *options.overrides])
    console, settings = Console(), run_settings(config, methods(), METRICS)
    stack = load_stack(settings.stack)
    cases = load_cases(settings.dataset, watcher(console), limit=settings.limit, canvas=stack.canvas).cases
    best, embeddings = {1: float("inf"), options.batch: float("inf")}, {}
    for _ in range(options.rounds):
        for together in best:
            seconds, embeddings[together] = learned(cases, settings.methods["spin"].embedding, stack, together=together)
            best[together] = min(best[together], seconds)
    for together, seconds in best.items():
        console.print(f"{together} at once: {seconds:.2f} s a reference, {torch.get_num_threads()} threads")
    apart = (embeddings[1] - embeddings[options.batch]).abs().max().item()
    console.print(f"{best[1] / best[options.batch]:.2f} times as fast; embeddings differ by {apart:.1e}")
    if apart > AGREE:
        raise SystemExit("embeddings depend on the batch")


if __name__ == "__main__":
    main()
