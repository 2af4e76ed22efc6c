"""The executors by name."""

import os
from collections.abc import Callable

from spin_bench.config.executor import Shard
from spin_bench.config.settings import RunSettings
from spin_bench.core.errors import UserError, unknown
from spin_bench.run.executors.env import place, work_on_a_share
from spin_bench.run.executors.ray import work_on_ray
from spin_bench.run.prepare import Run
from spin_bench.run.work import work

EXECUTORS: dict[str, Callable[[Run], None]] = {"local": work, "env": work_on_a_share, "ray": work_on_ray}


def executor(settings: RunSettings) -> Callable[[Run], None]:
    """The executor that a run asks for; `UserError` where it could not do its work."""
    config, shard = settings.executor, settings.shard
    if config.name not in EXECUTORS:
        raise unknown("executor", config.name, list(EXECUTORS))
    if config.workers is not None and config.workers < 1:
        raise UserError(f"executor.workers={config.workers}: must be at least 1, or null for all there is room for")
    if config.threads < 1 or config.gpus <= 0:
        raise UserError(f"executor.threads={config.threads} executor.gpus={config.gpus}: must be more than 0")
    if config.name == "env":
        place(shard, os.environ)
    elif shard != Shard():
        raise UserError(f"shard.index={shard.index} shard.count={shard.count}: only executor=env has shards: add it")
    return EXECUTORS[config.name]
