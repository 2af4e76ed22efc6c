"""What one worker does with its share of a run: paint what is missing, score it, mend what turns out damaged."""

from collections.abc import Sequence

from spin_bench.run.painting import Painters, generate
from spin_bench.run.plan import Job, Unit, plan
from spin_bench.run.prepare import Run
from spin_bench.run.scoring import score


def work(run: Run, share: Sequence[Unit] | None = None, painters: Painters | None = None) -> None:
    """Leave nothing undone of the units in `share` (default: of all), but for what failed.

    Scoring reads every picture, and one that was altered since it was written is gone then, so there may be something
    to paint again.
    """
    painters, jobs, tried = painters or Painters(run), plan(run, share), set[Job]()
    while True:
        generate(run, jobs, painters)
        score(run, share)
        tried.update(jobs)
        jobs = [job for job in plan(run, share) if job not in tried]
        if not jobs:
            return
