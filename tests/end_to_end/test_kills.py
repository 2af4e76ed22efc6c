"""A run that is killed, again and again and beside others, ends with the bytes of one that was not."""

import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from fake_runs import Journal, fake_run, journal_of, pictures, table

from spin_bench.models.stack import Stack
from spin_bench.run.plan import plan
from spin_bench.run.work import work

KILLS = 20
Start = Callable[[float], multiprocessing.Process]


@pytest.fixture
def start(benchmark_root: Path, tmp_path: Path, stack: Stack) -> Iterator[Start]:
    """Start a process that works on the results "broken"; what still runs at the end is killed."""
    started = []

    def child(seconds: float) -> None:
        torch.set_num_threads(1)  # a forked child has none of its parent's threads
        work(fake_run(benchmark_root, tmp_path / "broken", stack, seconds=seconds))
        os._exit(0)

    def begin(seconds: float) -> multiprocessing.Process:
        process = multiprocessing.get_context("fork").Process(target=child, args=(seconds,))
        process.start()
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.join()


def _wait(process: multiprocessing.Process, journal: Journal, what: tuple[str, ...], count: int) -> None:
    """Until the process has noted so many of these events, or has ended."""
    while process.is_alive() and len(journal.events(what, process.pid)) < count:
        time.sleep(0.001)


def _in_flight(journal: Journal, pid: int) -> set[str]:
    """What a process was painting when it was killed."""
    return {e.item for e in journal.events(("paint",), pid)} - {e.item for e in journal.events(("stored",), pid)}


def test_twenty_kills_do_not_change_a_byte(benchmark_root: Path, tmp_path: Path, stack: Stack, start: Start):
    whole = fake_run(benchmark_root, tmp_path / "whole", stack)
    work(whole)
    broken, chance = fake_run(benchmark_root, tmp_path / "broken", stack), random.Random(0)
    journal, killed = journal_of(broken), []
    for kill in range(KILLS):
        process = start(0.01)
        what = ("paint", "score") if kill < KILLS // 2 else ("score",)
        _wait(process, journal, what, chance.randint(1, 3))
        time.sleep(chance.uniform(0, 0.02))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL, "there was nothing left to kill"
        killed.append(process.pid)
    work(broken)
    assert table(broken) == table(whole)
    assert pictures(broken) == pictures(whole)
    painted = Counter(event.item for event in journal.events(("paint",)))
    in_flight = Counter(item for pid in killed for item in _in_flight(journal, pid))
    assert len(painted) == 16
    assert all(painted[item] <= 1 + in_flight[item] for item in painted)


def test_three_processes_share_a_store_and_one_is_killed(
    benchmark_root: Path, tmp_path: Path, stack: Stack, start: Start
):
    whole = fake_run(benchmark_root, tmp_path / "whole", stack)
    work(whole)
    broken = fake_run(benchmark_root, tmp_path / "broken", stack)
    journal, processes = journal_of(broken), [start(0.03) for _ in range(3)]
    _wait(processes[0], journal, ("paint",), 3)
    processes[0].kill()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [-signal.SIGKILL, 0, 0]
    broken.store.refresh()
    assert plan(broken) == []  # the others did the dead one's part, too
    work(broken)
    assert table(broken) == table(whole)
    stored = {(event.item, event.pid): event.time for event in journal.events(("stored",))}
    paints = journal.events(("paint",))
    assert 16 <= len(paints) < 3 * 16
    for paint in paints:
        before = [at for (item, pid), at in stored.items() if item == paint.item and pid != paint.pid]
        assert all(at > paint.looked for at in before), "painted what was there already"
