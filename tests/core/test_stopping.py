"""Ctrl-C and SIGTERM end a run between two batches; a second one at once."""

import multiprocessing
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from fake_runs import Journal, fake_run, journal_of, table

from spin_bench.cli.guarded import guarded
from spin_bench.core.errors import FirstFailure, PaintingError
from spin_bench.core.stopping import Stop, Stopped
from spin_bench.models.stack import Stack
from spin_bench.run.plan import plan
from spin_bench.run.work import work


def _child(root: Path, results: Path, stack: Stack) -> None:
    torch.set_num_threads(1)

    def command() -> int:
        run = fake_run(root, results, stack, seconds=0.2)
        with run.stop.listening():
            work(run)
        return 0

    os._exit(guarded(command))


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_after_the_batch_in_flight(
    benchmark_root: Path, tmp_path: Path, stack: Stack, signum: int, code: int
):
    run = fake_run(benchmark_root, tmp_path / "stopped", stack)
    journal: Journal = journal_of(run)
    arguments = (benchmark_root, tmp_path / "stopped", stack)
    process = multiprocessing.get_context("fork").Process(target=_child, args=arguments)
    process.start()
    while process.is_alive() and len(journal.events(("paint",))) < 3:
        time.sleep(0.005)
    os.kill(process.pid, signum)
    process.join()
    assert process.exitcode == code
    painted, stored = ([e.item for e in journal.events((what,))] for what in ("paint", "stored"))
    assert painted == stored
    assert 3 <= len(painted) < 16
    whole = fake_run(benchmark_root, tmp_path / "whole", stack)
    work(whole)
    work(run)
    assert table(run) == table(whole)
    assert len(journal.events(("paint",))) == 16


def test_a_second_signal_does_not_wait(capfd: pytest.CaptureFixture):
    stop, before = Stop(), signal.getsignal(signal.SIGINT)
    with stop.listening():
        signal.raise_signal(signal.SIGINT)
        assert "stopping after the batch in flight; once more to stop at once" in capfd.readouterr().err
        with pytest.raises(Stopped):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(Stopped, match="SIGINT"):
        stop.check()


def test_fail_fast_records_the_failure_and_stops(benchmark_root: Path, tmp_path: Path, stack: Stack):
    def broken(*_: object):
        raise PaintingError("no picture today")

    run = fake_run(benchmark_root, tmp_path / "failing", stack, "fail_fast=true")
    first = replace(run.methods["first"], build=lambda *_: broken)
    failing = replace(run, methods={**run.methods, "first": first})
    with pytest.raises(FirstFailure, match="first, real-0001: PaintingError: no picture today"):
        work(failing)
    failure = run.store.failure(run.keys["first"], run.cases[0], 0)
    assert failure.reason == "PaintingError: no picture today"
    assert "Traceback" in failure.traceback
    assert sum(len(job.missing) for job in plan(run)) == 16
    work(replace(failing, settings=replace(run.settings, fail_fast=False)))
    assert {job.method for job in plan(run)} == {"first"}
