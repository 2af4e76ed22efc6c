"""The executors by name."""

from collections.abc import Callable

from spin_bench.errors import unknown
from spin_bench.executors.env import work_on_a_share
from spin_bench.executors.ray import work_on_ray
from spin_bench.run import Run
from spin_bench.work import work

EXECUTORS: dict[str, Callable[[Run], None]] = {"local": work, "env": work_on_a_share, "ray": work_on_ray}


def executor(name: str) -> Callable[[Run], None]:
    if name not in EXECUTORS:
        raise unknown("executor", name, list(EXECUTORS))
    return EXECUTORS[name]
