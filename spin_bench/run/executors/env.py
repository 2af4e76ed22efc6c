"""One of several processes that were started alike and never talk: each knows its number, and takes its share.

Which share is nobody's decision, it follows from the run: so a process that died is replaced by starting it again, and
the number of processes may change between two starts.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from spin_bench.config.executor import Shard
from spin_bench.core.errors import UserError
from spin_bench.core.identity import key_of
from spin_bench.run.plan import Unit, units
from spin_bench.run.prepare import Run
from spin_bench.run.work import work

# rank, world, local rank. SLURM comes last: its variables are there, too, where torchrun or mpirun runs inside a job.
LAUNCHERS = {
    "torchrun": ("RANK", "WORLD_SIZE", "LOCAL_RANK"),
    "Open MPI": ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"),
    "MPICH": ("PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID"),
    "SLURM": ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"),
}


@dataclass(frozen=True)
class Place:
    """Of one process among those that share a run."""

    rank: int
    world: int
    local: int  # among those on the same machine


def place(shard: Shard, environ: Mapping[str, str]) -> Place:
    """Where this process stands: what `shard` says, else the launcher; `UserError` where neither makes sense."""
    if shard.index is not None or shard.count is not None:
        if shard.index is None or shard.count is None:
            raise UserError(f"shard.index={shard.index} shard.count={shard.count}: give both, or neither")
        return _checked(shard.index, shard.count, 0, ("shard.index", "shard.count"))
    for rank, world, local in LAUNCHERS.values():
        if rank in environ and world in environ:
            numbers = [_number(name, environ.get(name, "0")) for name in (rank, world, local)]
            return _checked(numbers[0], numbers[1], numbers[2], (rank, world))
    names = ", ".join(LAUNCHERS)
    raise UserError(f"executor=env: started by none of {names}: give shard.index=<from 0> and shard.count=<how many>")


def _number(name: str, text: str) -> int:
    if not text.isdigit():
        raise UserError(f"{name}={text}: must be a whole number, or unset with shard.index and shard.count given")
    return int(text)


def _checked(rank: int, world: int, local: int, names: tuple[str, str]) -> Place:
    if world < 1:
        raise UserError(f"{names[1]}={world}: must be at least 1")
    if not 0 <= rank < world:
        raise UserError(f"{names[0]}={rank}: outside 0 to {world - 1}, since {names[1]}={world}")
    return Place(rank, world, local)


def share(run: Run, rank: int, world: int) -> list[Unit]:
    """The units of one process, in the run's order.

    Units are dealt round in the order of a hash, method by method: every process gets as many of each method as every
    other (within one), whatever the order of the cases.
    """
    work_units, methods = units(run), list(run.keys)
    hashed = {unit: key_of([unit.method, [run.cases[i].id for i in unit.cases]]) for unit in work_units}
    dealt = sorted(work_units, key=lambda unit: (methods.index(unit.method), hashed[unit]))
    mine = set(dealt[rank::world])
    return [unit for unit in work_units if unit in mine]


def work_on_a_share(run: Run) -> None:
    """Do this process's share, on its own accelerator where the machine has several."""
    mine = place(run.settings.shard, os.environ)
    if torch.cuda.is_available() and torch.cuda.device_count() > 1:
        torch.cuda.set_device(mine.local % torch.cuda.device_count())
    own = share(run, mine.rank, mine.world)
    run.console.print(f"worker {mine.rank} of {mine.world}: {len(own)} of {len(units(run))} units")
    work(run, own)
