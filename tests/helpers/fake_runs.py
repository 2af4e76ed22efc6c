"""Runs without a network: two methods paint noise, the metrics are sums of pixels, and a journal notes every step."""

import os
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console

from spin_bench.config.compose import compose
from spin_bench.config.settings import run_settings
from spin_bench.core.case import Case
from spin_bench.fold.frames import collect
from spin_bench.methods.method import Method
from spin_bench.methods.registry import methods
from spin_bench.metrics.batch import Batch
from spin_bench.metrics.metric import Metric
from spin_bench.models.stack import Stack
from spin_bench.run.prepare import Run, prepare
from spin_bench.statistics.comparison import summarise
from spin_bench.store import Store


@dataclass(frozen=True)
class NoSettings:
    pass


@dataclass(frozen=True)
class Event:
    """`what` is paint, stored or score; an image is named by its method and seed; `looked`: when the store was read."""

    time: float
    pid: int
    what: str
    item: str
    looked: float


class Journal:
    """A file that several processes append to."""

    def __init__(self, path: Path):
        self.path = path
        self.looked = 0.0

    def note(self, what: str, items: Sequence[object]) -> None:
        lines = "".join(f"{time.monotonic()} {os.getpid()} {what} {item} {self.looked}\n" for item in items)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(descriptor, lines.encode())
        os.close(descriptor)

    def events(self, what: Collection[str] = ("paint", "stored", "score"), pid: int | None = None) -> list[Event]:
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        fields = [line.split() for line in lines]
        found = [Event(float(f[0]), int(f[1]), f[2], f[3], float(f[4])) for f in fields if len(f) == 5]
        return [event for event in found if event.what in what and pid in (None, event.pid)]


class JournalStore(Store):
    """Notes what is stored, and when the store was last read."""

    def __init__(self, root: Path, journal: Journal):
        super().__init__(root)
        self.journal = journal

    def refresh(self, run_keys: Collection[str] | None = None) -> bool:
        self.journal.looked = time.monotonic()
        return super().refresh(run_keys)

    def put_all(self, case: Case, painted) -> None:
        super().put_all(case, painted)
        self.journal.note("stored", [f"{record.method}/{record.seed}" for _, record in painted])


def noise(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (64, 64, 3), np.uint8))


def fake_run(root: Path, results: Path, stack: Stack, *overrides: str, seconds: float = 0.0, metrics: int = 4) -> Run:
    """Four cases, two methods of two images; every painted batch and every metric of a case takes `seconds`."""
    journal = Journal(results.parent / f"{results.name}.journal")

    def method(name: str) -> Method:
        def paint(case: Case, seeds: Sequence[int]) -> list[Image.Image]:
            journal.note("paint", [f"{name}/{seed}" for seed in seeds])
            time.sleep(seconds)
            return [noise(seed + len(name)) for seed in seeds]

        return Method(name.title(), NoSettings, lambda *_: paint, "1")

    def compute(index: int):
        def mean(batch: Batch):
            journal.note("score", [f"{batch.cases[0].id}/{index}"])
            time.sleep(seconds)
            return (batch.images * (index + 1)).mean((1, 2, 3))

        return mean

    known = {name: method(name) for name in ("first", "second")}
    shared = {"higher_is_better": True, "range": (0.0, 1.0), "compares": "nothing"}
    scored = {f"m{i}": Metric(name=f"m{i}", title=f"m{i}", compute=compute(i), **shared) for i in range(metrics)}
    fixed = ["dataset.domains=all", "methods=[first,second]", "samples=2", "batch_size=1"]
    chosen = [f"dataset.root={root}", f"results_dir={results}", f"metrics=[{','.join(scored)}]", *fixed, *overrides]
    known = {**known, **methods()}
    run = prepare(run_settings(compose(chosen), known, scored), stack, known, scored, Console(quiet=True))
    store = JournalStore(run.settings.store_dir, journal)
    store.identities.update(run.store.identities)
    return replace(run, store=store)


def journal_of(run: Run) -> Journal:
    return run.store.journal


def table(run: Run) -> tuple[bytes, str]:
    """The bytes of the scores, in a fixed order, and of the summary."""
    run.store.refresh()
    scores, _ = collect(run)
    ordered = scores.sort_values(["method", "case", "k", "metric"], ignore_index=True)
    return ordered.to_parquet(index=False), summarise(scores, methods=list(run.keys)).to_csv()


def pictures(run: Run) -> dict[tuple[str, str, int], bytes]:
    """(method, case, k) -> pixels, of everything that is there."""
    found = {}
    for method, key in run.keys.items():
        for case in run.cases:
            for k in range(run.samples(method)):
                stored = run.store.get(key, case, k)
                if stored is not None:
                    found[method, case.id, k] = stored[0].tobytes()
    return found
