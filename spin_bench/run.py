"""Plan, generate, score: what is already in the store is never made again."""

import logging
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import pandas as pd
import torch
from rich.console import Console

from spin_bench.artefacts import Artefacts
from spin_bench.case import Case
from spin_bench.datasets import entries
from spin_bench.datasets.entry import Entry
from spin_bench.datasets.tficon import load_case
from spin_bench.errors import UserError
from spin_bench.identity import derive_seed
from spin_bench.methods import Method
from spin_bench.metrics.batch import Batch
from spin_bench.metrics.record import Metric
from spin_bench.progress import watched, watcher
from spin_bench.settings import RunSettings
from spin_bench.stack import Stack
from spin_bench.store import Record, Store, run_key

log = logging.getLogger(__name__)

SCORED_TOGETHER = 64  # images an encoder sees at once


@dataclass(frozen=True)
class Job:
    """Images of one case that one method still has to paint."""

    method: str
    case: int  # index into the run's cases
    ks: tuple[int, ...]  # painted together
    missing: tuple[int, ...]  # of them, what the store does not hold


@dataclass(frozen=True, eq=False)
class Run:
    """Everything a run works with, made once."""

    settings: RunSettings
    stack: Stack
    store: Store
    methods: dict[str, Method]
    metrics: dict[str, Metric]
    entries: Sequence[Entry]
    cases: Sequence[Case]
    keys: dict[str, str]  # method -> run key
    console: Console

    def samples(self, method: str) -> int:
        """An unseeded method paints the same picture for every seed, so one is all there is."""
        return self.settings.samples if self.methods[method].seeded else 1


def prepare(
    settings: RunSettings, stack: Stack, methods: dict[str, Method], metrics: dict[str, Metric], console: Console
) -> Run:
    """Read the cases and name every result; raises `UserError` before anything is written."""

    found = entries(settings.dataset, watcher(console), limit=settings.limit)
    cases = [load_case(entry, stack.canvas) for entry in found]
    paintable = _paintable(settings, methods, cases)
    store = Store(settings.store_dir)
    keys = {}
    for name, chosen in paintable.items():
        identity = {"method": name, "settings": chosen, "version": methods[name].version, "seed": settings.base_seed}
        identity |= {"stack": stack.fingerprint, "canvas": stack.canvas, "dtype": str(stack.dtype)}
        keys[name] = run_key(identity)
        store.describe(keys[name], identity)
    chosen_metrics = {name: metrics[name] for name in settings.metrics}
    return Run(settings, stack, store, methods, chosen_metrics, found, cases, keys, console)


def _paintable(settings: RunSettings, methods: dict[str, Method], cases: Sequence[Case]) -> dict[str, Any]:
    """The run's methods and their settings, less those that need a truth which these cases do not have."""
    if all(case.truth is not None for case in cases):
        return settings.methods
    left_out = [name for name in settings.methods if methods[name].needs_truth]
    if left_out:
        log.info("%s left out: the benchmark knows no true composites", ", ".join(left_out))
    paintable = {name: chosen for name, chosen in settings.methods.items() if name not in left_out}
    if not paintable:
        raise UserError(f"{', '.join(left_out)}: nothing to paint, this benchmark knows no true composites")
    return paintable


def plan(run: Run) -> list[Job]:
    """What is missing from the store, method by method, in batches of one case.

    A batch that lacks one image is painted whole: sums of another batch size round differently, and a run that was
    killed is to end with the bytes of one that was not.
    """
    jobs = []
    for method, key in run.keys.items():
        for index, case in enumerate(run.cases):
            for first in range(0, run.samples(method), run.settings.batch_size):
                ks = tuple(range(first, min(first + run.settings.batch_size, run.samples(method))))
                missing = tuple(k for k in ks if run.store.get(key, case, k) is None)
                if missing:
                    jobs.append(Job(method, index, ks, missing))
    return jobs


def versions() -> dict[str, str]:
    """What the pictures were made with."""
    packages = ("torch", "diffusers", "transformers", "numpy", "pillow", "spin-bench")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def generate(run: Run, jobs: Sequence[Job]) -> None:
    """Paint every job and store its pictures."""
    artefacts = Artefacts(run.store.root / "artefacts")
    used = {job.method for job in jobs}
    painters = {m: run.methods[m].build(run.settings.methods[m], run.stack, artefacts) for m in used}
    made_with = versions()
    cuda = run.stack.device.type == "cuda"
    for job in watched(jobs, total=len(jobs), label="painting", console=run.console):
        case = run.cases[job.case]
        seeds = [derive_seed(run.settings.base_seed, case.id, k) for k in job.ks]
        if cuda:
            torch.cuda.reset_peak_memory_stats()
        started = time.perf_counter()
        pictures = painters[job.method](case, seeds)
        seconds = (time.perf_counter() - started) / len(pictures)
        peak = torch.cuda.max_memory_allocated() / 2**20 if cuda else None
        for k, seed, picture in zip(job.ks, seeds, pictures, strict=True):
            if k not in job.missing:
                continue
            record = Record(run.keys[job.method], job.method, case.id, case.domain, k, seed, seconds, peak, made_with)
            run.store.put(case, picture, record)


def _unscored(run: Run) -> list[tuple[str, Case, list[int], list[str]]]:
    """(method, case, ks, metrics) that have pictures but not every score."""
    found = []
    for method, key in run.keys.items():
        for case in run.cases:
            known = run.store.scores(key, case)
            ks = range(run.samples(method))
            missing = [
                name
                for name, metric in run.metrics.items()
                if any(k not in known.get(metric.key(run.stack), {}) for k in ks)
            ]
            if missing:
                found.append((method, case, list(ks), missing))
    return found


@torch.no_grad()
def score(run: Run) -> None:
    """Compute the scores that are missing, `SCORED_TOGETHER` images at a time."""
    todo = _unscored(run)
    size = max(1, SCORED_TOGETHER // max(1, run.settings.samples))
    groups = [todo[i : i + size] for i in range(0, len(todo), size)]
    for group in watched(groups, total=len(groups), label="scoring", console=run.console):
        owners, pictures = [], []
        for method, case, ks, _ in group:
            for k in ks:
                stored = run.store.get(run.keys[method], case, k)
                if stored is not None:
                    owners.append((method, case, k))
                    pictures.append(stored[0])
        batch = Batch([case for _, case, _ in owners], pictures, run.stack)
        wanted = {name for *_, names in group for name in names}
        values = {name: run.metrics[name].compute(batch).tolist() for name in run.metrics if name in wanted}
        for method, case, _, names in group:
            mine = [(i, k) for i, (m, c, k) in enumerate(owners) if m == method and c is case]
            scores = {
                run.metrics[name].key(run.stack): {
                    k: None if values[name][i] != values[name][i] else round(values[name][i], 6) for i, k in mine
                }
                for name in names
            }
            run.store.put_scores(run.keys[method], case, scores)


def collect(run: Run) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores and costs of the run's images as long tables."""
    scores, costs = [], []
    for method, key in run.keys.items():
        for case in run.cases:
            known = run.store.scores(key, case)
            for k in range(run.samples(method)):
                stored = run.store.get(key, case, k)
                if stored is None:
                    continue
                record = stored[1]
                costs.append((method, case.id, k, record.seconds, record.peak_memory_mb))
                for name, metric in run.metrics.items():
                    value = known.get(metric.key(run.stack), {}).get(k)
                    number = float("nan") if value is None else value
                    scores.append((method, case.id, case.domain, k, record.seed, name, number))
    return (
        pd.DataFrame(scores, columns=["method", "case", "domain", "k", "seed", "metric", "value"]),
        pd.DataFrame(costs, columns=["method", "case", "k", "seconds", "peak_memory_mb"]).astype(
            {"seconds": float, "peak_memory_mb": float}
        ),
    )
