"""Paint what is missing, and keep going: memory that runs out halves the batch, a case that fails is recorded."""

import gc
import logging
import platform
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.metadata import version
from random import Random

import torch
from PIL import Image

from spin_bench.core.case import Case
from spin_bench.core.errors import FirstFailure, PaintingError, UserError
from spin_bench.core.identity import derive_seed
from spin_bench.core.progress import watched
from spin_bench.methods.painter import Painter
from spin_bench.run.plan import Job, Unit, images, lacking, unit_of
from spin_bench.run.prepare import Run
from spin_bench.store import Failure, Record
from spin_bench.store.artefacts import Artefacts

log = logging.getLogger(__name__)

LESS_MEMORY = (
    "try stack.dtype=float16, stack.offload=true, stack.checkpointing=true or stack.vae_slicing=true; "
    "for Blended, which has a batch of its own, settings.blended_diffusion.batch=1"
)

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
                if not out_of_memory(error):
                    raise
                if len(together) == 1:
                    raise PaintingError(f"out of memory with one image at once: {LESS_MEMORY}") from error
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


class Painters:
    """The painters of a run, each built when its first job comes, and the shared work that they have done."""

    def __init__(self, run: Run):
        self.run = run
        self.stack = run.stack.keeping(Artefacts(run.store.root / "artefacts"))
        self.made_with = versions() | run.stack.numerics
        self._built: dict[str, Halving] = {}
        self._prepared: set[Unit] = set()

    def paint(self, job: Job) -> list[tuple[Image.Image, Record]]:
        """The pictures that the store lacks, with their records."""
        if job.method not in self._built:
            method, settings = self.run.methods[job.method], self.run.settings.methods[job.method]
            self._built[job.method] = Halving(method.painter(settings, self.stack))
        self._prepare(job)
        return self._paint(job, self._built[job.method])

    def _prepare(self, job: Job) -> None:
        """Let a method do at once the work that the cases of a unit share.

        What fails here is left to the painter, which meets it case by case.
        """
        run, method, settings = self.run, self.run.methods[job.method], self.run.settings.methods[job.method]
        unit = unit_of(run, job.method, job.case)
        if method.prepare is None or unit in self._prepared:
            return
        self._prepared.add(unit)
        try:
            method.prepare(settings, method.lend(self.stack, settings), [run.cases[i] for i in unit.cases])
        except UserError:
            raise
        except Exception as error:
            reason = str(error).split("\n")[0]
            log.warning("%s: %d cases at once: %s: going on one by one", job.method, len(unit.cases), reason)

    def _paint(self, job: Job, painter: Painter) -> list[tuple[Image.Image, Record]]:
        run, case, cuda = self.run, self.run.cases[job.case], self.run.stack.device.type == "cuda"
        seeds = [derive_seed(run.settings.base_seed, case.id, k) for k in job.ks]
        if cuda:
            torch.cuda.reset_peak_memory_stats()
        started = time.perf_counter()
        pictures = painter(case, seeds)
        elapsed = (time.perf_counter() - started) / len(pictures)
        peak = torch.cuda.max_memory_allocated() / 2**20 if cuda else None
        painted = []
        for k, seed, picture in zip(job.ks, seeds, pictures, strict=True):
            if k not in job.missing:
                continue
            facts = {str(name): float(value) for name, value in picture.info.items() if isinstance(value, (int, float))}
            key, made_with = run.keys[job.method], self.made_with
            record = Record(key, job.method, case.id, case.domain, k, seed, elapsed, peak, made_with, facts)
            painted.append((picture, record))
        return painted


def generate(run: Run, jobs: Sequence[Job], painters: Painters | None = None) -> None:
    """Paint every job and store its pictures, or the reason why there are none.

    A `UserError` ends the run, since it would come back with every case, and so does what the disk refuses (OSError);
    any other error belongs to its case, or with `fail_fast` ends the run, too (`FirstFailure`).
    """
    if jobs:
        run.store.check_writable()
    painters = painters or Painters(run)
    turns = watched(_in_turn(run, jobs), _asked, total=images(jobs), label="painting", console=run.console)
    for job, _ in turns:
        run.stop.check()
        if not job.missing:
            continue
        try:
            painted = painters.paint(job)
        except UserError:
            raise
        except Exception as error:
            _record_failure(run, job, error)
            continue
        run.store.put_all(run.cases[job.case], painted)


def _asked(turn: tuple[Job, int]) -> int:
    return turn[1]


def _in_turn(run: Run, jobs: Sequence[Job]) -> Iterator[tuple[Job, int]]:
    """The jobs in order, without the images that another process has painted meanwhile, and how many there were.

    Once another process is seen to work on the same results, the order is drawn by chance: two that walk in the same
    order would paint everything twice, side by side.
    """
    waiting, alone, chance = list(jobs), True, Random()
    while waiting:
        job = waiting.pop(0 if alone else chance.randrange(len(waiting)))
        if run.store.refresh([run.keys[job.method]]):
            alone = False
        yield replace(job, missing=lacking(run, job.method, job.case, job.missing)), len(job.missing)


def _record_failure(run: Run, job: Job, error: Exception) -> None:
    case, reason = run.cases[job.case], f"{type(error).__name__}: {error}".splitlines()[0]
    lines = "".join(traceback.format_exception(error))
    for k in job.missing:
        run.store.put_failure(run.keys[job.method], case, Failure(job.method, case.id, k, reason, lines))
    if run.settings.fail_fast:
        raise FirstFailure(f"{job.method}, {case.id}: {reason}") from error
    log.warning("%s, %s: failed, the others go on (%s)", job.method, case.id, reason)


def failures(run: Run) -> list[Failure]:
    """Why pictures of this run are missing."""
    each = (run.store.failure(task.key, task.case, k) for task in run.tasks() for k in task.ks)
    return [failure for failure in each if failure is not None]
