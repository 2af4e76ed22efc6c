"""What is left of a run to paint, in pieces that workers can share: what the store holds is never made again."""

from collections.abc import Sequence
from dataclasses import dataclass

from spin_bench.run.prepare import Run


@dataclass(frozen=True)
class Unit:
    """Work that stays on one worker: cases of one method that share work (`Method.prepare`), or a single case."""

    method: str
    cases: tuple[int, ...]  # indices into the run's cases


@dataclass(frozen=True)
class Job:
    """Images of one case that one method still has to paint."""

    method: str
    case: int  # index into the run's cases
    ks: tuple[int, ...]  # painted together
    missing: tuple[int, ...]  # of them, what the store does not hold


def plan(run: Run, share: Sequence[Unit] | None = None) -> list[Job]:
    """What the store lacks of the units in `share` (default: of all), method by method, in batches of one case.

    A batch that lacks one image is painted whole: sums of another batch size round differently, and a run that was
    killed is to end with the bytes of one that was not.
    """
    run.store.refresh(run.keys.values())
    jobs = []
    for unit in units(run) if share is None else share:
        samples, together = run.samples(unit.method), run.together(unit.method)
        for index in unit.cases:
            for first in range(0, samples, together):
                ks = tuple(range(first, min(first + together, samples)))
                missing = lacking(run, unit.method, index, ks)
                if missing:
                    jobs.append(Job(unit.method, index, ks, missing))
    return jobs


def lacking(run: Run, method: str, case: int, ks: Sequence[int]) -> tuple[int, ...]:
    """Those of the images `ks` that the store does not hold, as far as it was read."""
    return tuple(k for k in ks if run.store.stored(run.keys[method], run.cases[case], k) is None)


def images(jobs: Sequence[Job]) -> int:
    """How many images the jobs are to paint."""
    return sum(len(job.missing) for job in jobs)


def unpainted(run: Run) -> int:
    """How many of the images that were asked for are neither there nor known to have failed, as far as was read."""
    return sum(
        run.store.stored(task.key, task.case, k) is None and run.store.failure(task.key, task.case, k) is None
        for task in run.tasks()
        if task.method not in run.kept
        for k in task.ks
    )


def units(run: Run) -> list[Unit]:
    """Everything that the run paints, method by method.

    Groups of a method that shares work are counted over all cases of the run, so that they are the same on every
    worker and after a kill.
    """
    return list(dict.fromkeys(unit_of(run, method, case) for method in run.keys for case in range(len(run.cases))))


def unit_of(run: Run, method: str, case: int) -> Unit:
    """The unit that a case of a method belongs to."""
    size = run.settings.batch_size if run.methods[method].prepare else 1
    first = case - case % size
    return Unit(method, tuple(range(first, min(first + size, len(run.cases)))))
