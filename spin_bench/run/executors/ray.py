"""Ray actors: each loads the stack once and takes the next unit whenever it is free."""

import logging
import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from rich.console import Console

from spin_bench.config.executor import ExecutorConfig
from spin_bench.config.settings import RunSettings
from spin_bench.core.allocator import keep_memory
from spin_bench.core.errors import UserError
from spin_bench.core.progress import watched
from spin_bench.core.stopping import Stopped
from spin_bench.methods.registry import methods
from spin_bench.metrics.registry import METRICS
from spin_bench.models.loading.load import load_stack
from spin_bench.run.painting import Painters
from spin_bench.run.plan import Unit, lacking, units
from spin_bench.run.prepare import Run, prepare
from spin_bench.run.scoring import unscored
from spin_bench.run.work import work
from spin_bench.store import Failure


class Worker:
    """An actor's state: a run of its own, made from the settings alone."""

    def __init__(self, settings: RunSettings):
        keep_memory()
        torch.set_num_threads(settings.executor.threads)
        self.run = prepare(settings, load_stack(settings.stack), methods(), METRICS, Console(quiet=True))
        self.painters = Painters(self.run)

    def ready(self) -> None:
        """Answers once the actor stands."""

    def work(self, unit: Unit) -> None:
        try:
            work(self.run, [unit], self.painters)
        except Stopped:
            return  # the driver asked for it

    def stop(self, signum: int) -> None:
        self.run.stop.request(signum)


def work_on_ray(run: Run) -> None:
    """Hand every unit that lacks something to an actor; a unit whose actor dies goes to a new one, `retries` times."""
    todo = [unit for unit in units(run) if _lacks(run, unit)]
    if not todo:
        return
    with _cluster(run.settings.executor) as ray:
        crew = _Crew(ray, run, todo)
        total = sum(_images(run, unit) for unit in todo)
        label = "painting and scoring"
        for _ in watched(crew.finished(), partial(_images, run), total=total, label=label, console=run.console):
            pass


def _images(run: Run, unit: Unit) -> int:
    return run.samples(unit.method) * len(unit.cases)


def _lacks(run: Run, unit: Unit) -> bool:
    return unscored(run, [unit]) > 0 or any(
        lacking(run, unit.method, case, range(run.samples(unit.method))) for case in unit.cases
    )


@contextmanager
def _cluster(config: ExecutorConfig) -> Iterator[Any]:
    """The module `ray`, connected; a cluster that was started here ends with the block."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would report home
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else it warns about workers without a GPU
    try:
        import ray
    except ImportError as error:
        raise UserError("executor=ray needs Ray: pip install 'spin-bench[ray]'") from error
    if config.address or os.environ.get("RAY_ADDRESS"):
        ray.init(address=config.address, log_to_driver=False, logging_level=logging.WARNING)
    else:
        slots = max(os.cpu_count() or 1, (config.workers or 1) * config.threads)
        ray.init(num_cpus=slots, include_dashboard=False, log_to_driver=False, logging_level=logging.WARNING)
    try:
        yield ray
    finally:
        ray.shutdown()


def room(resources: dict[str, float], config: ExecutorConfig) -> int:
    """How many workers a cluster of these resources holds at once."""
    by_cpu = int(resources.get("CPU", 0) // config.threads)
    return min(by_cpu, int(resources["GPU"] // config.gpus)) if resources.get("GPU") else by_cpu


class _Crew:
    """The actors, what each is doing, and what is left."""

    def __init__(self, ray: Any, run: Run, todo: list[Unit]):
        self.ray, self.run, self.waiting = ray, run, deque(todo)
        config, resources = run.settings.executor, ray.cluster_resources()
        gpus = config.gpus if resources.get("GPU") else 0
        # A second thread hears `stop` while the first one paints.
        options = {"num_cpus": config.threads, "num_gpus": gpus, "max_concurrency": 2}
        self.actor = ray.remote(**options)(Worker)
        most = room(resources, config)
        count = most if config.workers is None else config.workers
        if not 0 < count <= most:
            raise UserError(f"executor.workers={count}: this cluster has room for {most}, see executor.threads")
        self.idle = [self._hire() for _ in range(min(count, len(todo)))]
        self.busy: dict[Any, tuple[Any, Unit]] = {}  # answer to come -> actor, unit
        self.deaths: dict[Unit, int] = {}

    def _hire(self) -> Any:
        return self.actor.remote(self.run.settings)

    def finished(self) -> Iterator[Unit]:
        """Every unit, once it is done or given up."""
        self._wait_for_one()
        while self.waiting or self.busy:
            self._check_stop()
            while self.idle and self.waiting:
                actor, unit = self.idle.pop(), self.waiting.popleft()
                self.busy[actor.work.remote(unit)] = actor, unit
            answers, _ = self.ray.wait(list(self.busy), timeout=0.5)
            for answer in answers:
                actor, unit = self.busy.pop(answer)
                if self._outcome(answer, actor, unit):
                    yield unit

    def _wait_for_one(self) -> None:
        """If one actor cannot start, none can: stop."""
        try:
            self.ray.get(self.idle[0].ready.remote())
        except self.ray.exceptions.RayActorError as error:
            reason = str(error).strip().splitlines()[-1]
            raise UserError(f"executor=ray: a worker could not start: {reason}") from error

    def _outcome(self, answer: Any, actor: Any, unit: Unit) -> bool:
        """True where nothing more is to be done for the unit."""
        try:
            self.ray.get(answer)
        except self.ray.exceptions.RayTaskError as error:
            raise error.cause from None  # what would have ended a run of one process
        except self.ray.exceptions.RayError as error:
            self.idle.append(self._hire())
            self.deaths[unit] = self.deaths.get(unit, 0) + 1
            if self.deaths[unit] <= self.run.settings.executor.retries:
                self.waiting.appendleft(unit)
                return False
            self._give_up(unit, error)
            return True
        self.idle.append(actor)
        return True

    def _give_up(self, unit: Unit, error: Exception) -> None:
        """Record the unit's missing pictures as failed: a case that kills its worker must not be lost in silence."""
        run, key = self.run, self.run.keys[unit.method]
        run.store.refresh([key])
        reason = f"its worker died {self.deaths[unit]} times"
        for case in unit.cases:
            for k in lacking(run, unit.method, case, range(run.samples(unit.method))):
                failure = Failure(unit.method, run.cases[case].id, k, reason, str(error))
                run.store.put_failure(key, run.cases[case], failure)

    def _check_stop(self) -> None:
        """Let every actor finish the batch in flight, then raise."""
        try:
            self.run.stop.check()
        except Stopped as stopped:
            self.ray.get([actor.stop.remote(stopped.signum) for actor, _ in self.busy.values()])
            self.ray.wait(list(self.busy), num_returns=len(self.busy))
            raise
