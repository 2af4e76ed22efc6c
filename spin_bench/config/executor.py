"""What `conf/executor/<name>.yaml` and `shard` say."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ExecutorConfig:
    """Who does the work of a run. The defaults are Ray's."""

    name: str = "local"
    address: str | None = None  # of a Ray cluster; None starts one on this machine
    workers: int | None = None  # None: as many as there is room for
    threads: int = 1  # CPU threads a worker
    gpus: float = 1.0  # a worker, where the cluster has any
    retries: int = 2  # times that a unit is tried again whose worker died


@dataclass(frozen=True)
class Shard:
    """A part of the work; None leaves it to the launcher's environment variables."""

    index: int | None = None  # from 0
    count: int | None = None
