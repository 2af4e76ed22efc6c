"""Paint what is missing, and keep going: memory that runs out halves the batch, a case that fails is recorded."""

import gc
import logging
import platform
import time
import traceback
from collections.abc import Callable, Sequence
from importlib.metadata import version

import torch
from PIL import Image

from spin_bench.artefacts import Artefacts
from spin_bench.case import Case
from spin_bench.errors import UserError
from spin_bench.identity import derive_seed
from spin_bench.painter import Painter
from spin_bench.progress import watched
from spin_bench.run import Job, Run
from spin_bench.store import Failure, Record

log = logging.getLogger(__name__)

_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


def out_of_memory(error: BaseException) -> bool:
    """True for what torch raises on an accelerator, and on the CPU, when an allocation fails."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _OUT_OF_MEMORY)


class Halving:
    """A painter that paints fewer images at once when memory runs out, and stays at what fitted.

    The images are the same: image k depends on its own seed alone.
    """

    def __init__(self, painter: Painter):
        self._painter = painter
        self._fits: int | None = None

    def __call__(self, case: Case, seeds: Sequence[int]) -> list[Image.Image]:
        pictures: list[Image.Image] = []
        while len(pictures) < len(seeds):
            together = seeds[len(pictures) :][: self._fits]
            try:
                pictures += self._painter(case, together)
                continue
            except Exception as error:
                if not out_of_memory(error) or len(together) == 1:
                    raise
            self._fits = len(together) // 2
            log.warning("out of memory with %d images at once: going on with %d", len(together), self._fits)
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        return pictures


def versions() -> dict[str, str]:
    """What the pictures were made with."""
    packages = ("torch", "diffusers", "transformers", "numpy", "pillow", "spin-bench")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def generate(run: Run, jobs: Sequence[Job]) -> None:
    """Paint every job and store its pictures, or the reason why there are none.

    A `UserError` ends the run, since it would come back with every case; any other error belongs to its case.
    """
    artefacts = Artefacts(run.store.root / "artefacts")
    used = {job.method for job in jobs}
    painters = {m: Halving(run.methods[m].build(run.settings.methods[m], run.stack, artefacts)) for m in used}
    made_with = versions()
    for name in used:
        _prepare(run, name, {job.case for job in jobs if job.method == name}, artefacts)
    for job in watched(jobs, total=len(jobs), label="painting", console=run.console):
        try:
            _paint(run, job, painters[job.method], made_with)
        except UserError:
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            log.warning("%s, %s: failed, the others go on (%s)", job.method, run.cases[job.case].id, reason)
            for k in job.missing:
                failure = Failure(job.method, run.cases[job.case].id, k, reason, traceback.format_exc())
                run.store.put_failure(run.keys[job.method], run.cases[job.case], failure)


def _prepare(run: Run, name: str, wanted: set[int], artefacts: Artefacts) -> None:
    """Let a method do the work that several cases share, `batch_size` cases at once, for those that are `wanted`.

    Groups are counted over all cases of the run, so that they are the same after a kill. What fails here is left to
    the painter, which meets it case by case.
    """
    method, size = run.methods[name], run.settings.batch_size
    if method.prepare is None:
        return
    firsts = [i for i in range(0, len(run.cases), size) if wanted & set(range(i, i + size))]
    for first in watched(firsts, total=len(firsts), label=f"preparing {method.title}", console=run.console):
        try:
            method.prepare(run.settings.methods[name], run.stack, artefacts, run.cases[first : first + size])
        except UserError:
            raise
        except Exception as error:
            log.warning("%s: %d cases at once: %s: going on one by one", name, size, str(error).split("\n")[0])


def _paint(
    run: Run, job: Job, painter: Callable[[Case, Sequence[int]], list[Image.Image]], made_with: dict[str, str]
) -> None:
    case, cuda = run.cases[job.case], run.stack.device.type == "cuda"
    seeds = [derive_seed(run.settings.base_seed, case.id, k) for k in job.ks]
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    started = time.perf_counter()
    pictures = painter(case, seeds)
    elapsed = (time.perf_counter() - started) / len(pictures)
    peak = torch.cuda.max_memory_allocated() / 2**20 if cuda else None
    for k, seed, picture in zip(job.ks, seeds, pictures, strict=True):
        if k in job.missing:
            facts = {str(name): float(value) for name, value in picture.info.items() if isinstance(value, (int, float))}
            seconds = elapsed + facts.pop("shared_seconds", 0.0)
            record = Record(
                run.keys[job.method], job.method, case.id, case.domain, k, seed, seconds, peak, made_with, facts
            )
            run.store.put(case, picture, record)


def failures(run: Run) -> list[Failure]:
    """Why pictures of this run are missing."""
    found = []
    for method, key in run.keys.items():
        for case in run.cases:
            found += [f for k in range(run.samples(method)) if (f := run.store.failure(key, case, k)) is not None]
    return found
