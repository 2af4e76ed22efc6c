"""Shares are disjoint, whole and even, whatever starts the workers; Ray's actors end with the bytes of one process."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from fake_runs import fake_run, pictures, table

from spin_bench.cli.exit_codes import BAD_INPUT, DONE
from spin_bench.cli.main import main
from spin_bench.config.executor import ExecutorConfig, Shard
from spin_bench.core.errors import UserError
from spin_bench.models.stack import Stack
from spin_bench.run.executors.env import Place, place, share
from spin_bench.run.executors.ray import room
from spin_bench.run.plan import units
from spin_bench.run.prepare import Run
from spin_bench.run.work import work

TORCHRUN = {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1"}
SLURM = {"SLURM_PROCID": "3", "SLURM_NTASKS": "4", "SLURM_LOCALID": "3"}
OPEN_MPI = {"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_LOCAL_RANK": "1"}
MPICH = {"PMI_RANK": "6", "PMI_SIZE": "7", "MPI_LOCALRANKID": "0"}


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (TORCHRUN, Place(5, 8, 1)),
        (SLURM, Place(3, 4, 3)),
        (OPEN_MPI, Place(1, 2, 1)),
        (MPICH, Place(6, 7, 0)),
        ({**SLURM, **TORCHRUN}, Place(5, 8, 1)),  # torchrun inside a job
        ({**SLURM, **OPEN_MPI}, Place(1, 2, 1)),
        ({"RANK": "5", **SLURM}, Place(3, 4, 3)),  # half a launcher is none
    ],
)
def test_every_launcher_is_understood(environ: dict[str, str], expected: Place):
    assert place(Shard(), environ) == expected
    assert place(Shard(2, 9), environ) == Place(2, 9, 0)


@pytest.mark.parametrize(
    ("shard", "environ", "message"),
    [
        (Shard(4, 4), {}, r"shard\.index=4: outside 0 to 3, since shard\.count=4"),
        (Shard(-1, 4), {}, r"shard\.index=-1: outside"),
        (Shard(0, 0), {}, r"shard\.count=0: must be at least 1"),
        (Shard(0, None), {}, "give both, or neither"),
        (Shard(), {}, r"started by none of torchrun, Open MPI, MPICH, SLURM: give shard\.index"),
        (Shard(), {"RANK": "8", "WORLD_SIZE": "8"}, "RANK=8: outside 0 to 7, since WORLD_SIZE=8"),
        (Shard(), {"RANK": "one", "WORLD_SIZE": "8"}, "RANK=one: must be a whole number"),
    ],
)
def test_a_place_outside_the_world_is_said(shard: Shard, environ: dict[str, str], message: str):
    with pytest.raises(UserError, match=message):
        place(shard, environ)


def _stretched(run: Run, cases: int) -> Run:
    """The run over so many cases; they share the pictures of the few that there are."""
    few = run.cases
    return replace(run, cases=[replace(few[i % len(few)], id=f"real-{i:04}") for i in range(cases)])


@pytest.mark.parametrize("world", [1, 2, 3, 8, 50])
@pytest.mark.parametrize("grouped", [True, False])
def test_shares_are_disjoint_whole_and_even(
    benchmark_root: Path, tmp_path: Path, stack: Stack, world: int, grouped: bool
):
    run = _stretched(fake_run(benchmark_root, tmp_path / "shares", stack, "batch_size=4"), 37)
    if grouped:
        sharing = replace(run.methods["second"], prepare=lambda *_: None)
        run = replace(run, methods={**run.methods, "second": sharing})
    shares = [share(run, rank, world) for rank in range(world)]
    dealt = [unit for mine in shares for unit in mine]
    assert sorted(dealt, key=repr) == sorted(units(run), key=repr)
    assert len(set(dealt)) == len(dealt)
    assert len(units(run)) == 37 + (10 if grouped else 37)
    for method in run.keys:
        counts = [sum(unit.method == method for unit in mine) for mine in shares]
        assert max(counts) - min(counts) <= 1


def test_a_share_does_not_depend_on_the_order_of_cases(benchmark_root: Path, tmp_path: Path, stack: Stack):
    run = _stretched(fake_run(benchmark_root, tmp_path / "order", stack), 30)
    turned = replace(run, cases=run.cases[::-1])

    def of(run: Run) -> set[tuple[str, str]]:
        return {(unit.method, run.cases[i].id) for unit in share(run, 1, 3) for i in unit.cases}

    assert of(run) == of(turned)


def test_workers_in_any_number_and_order_paint_the_same(benchmark_root: Path, tmp_path: Path, stack: Stack):
    whole = fake_run(benchmark_root, tmp_path / "whole", stack)
    work(whole)
    for world in (2, 3):
        shared = fake_run(benchmark_root, tmp_path / f"by{world}", stack)
        for rank in reversed(range(world)):
            mine = fake_run(benchmark_root, tmp_path / f"by{world}", stack)
            work(mine, share(mine, rank, world))
        assert table(shared) == table(whole)
        assert pictures(shared) == pictures(whole)


def _words(root: Path, results: Path, *more: str) -> list[str]:
    quick = ["methods=[copy_paste,sd_inpaint]", "metrics=[clip_i_crop,psnr_bg]", "steps=2", "samples=2", "limit=3"]
    return [*quick, f"dataset.root={root}", f"results_dir={results}", *more]


def test_the_last_worker_folds(benchmark_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    words = [*_words(benchmark_root, tmp_path, "methods=[copy_paste]", "metrics=[psnr_bg]"), "executor=env"]
    folder = tmp_path / "mini" / "mini" / "table1"
    assert main([*words, "shard.index=1", "shard.count=2"]) == DONE
    assert "left to other workers" in capsys.readouterr().out
    assert not (folder / "table.csv").exists()
    assert main(["fold", *words[:-1]]) == 3
    assert "are missing: the table is not finished" in capsys.readouterr().out
    assert "Not finished: " in (folder / "table.md").read_text()
    assert main([*words, "shard.index=0", "shard.count=2"]) == DONE
    assert "Not finished: " not in (folder / "table.md").read_text()
    assert main(["fold", *words[:-1]]) == DONE


def test_torchrun_ends_with_the_bytes_of_one_process(benchmark_root: Path, tmp_path: Path):
    assert main(_words(benchmark_root, tmp_path / "one")) == DONE
    words = _words(benchmark_root, tmp_path / "two", "executor=env")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "spin_bench"]
    done = subprocess.run([*torchrun, *words], capture_output=True, text=True, timeout=300, check=True)
    shares = re.findall(r"worker (\d) of 2: (\d) of 6 units", done.stdout)
    assert sorted(shares) == [("0", "3"), ("1", "3")]
    _same_numbers(tmp_path)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["executor=env", "shard.index=2", "shard.count=2"], "shard.index=2: outside 0 to 1"),
        (["shard.index=0", "shard.count=2"], "only executor=env has shards"),
        (["executor=envy"], "unknown executor 'envy': did you mean 'env'"),
        (["executor=ray", "executor.workers=0"], "executor.workers=0"),
    ],
)
def test_a_wrong_executor_is_one_line(
    benchmark_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture, words: list[str], message: str
):
    assert main(_words(benchmark_root, tmp_path, *words)) == BAD_INPUT
    error = capsys.readouterr().err.strip()
    assert message in error
    assert "\n" not in error


def test_room_on_a_cluster():
    assert room({"CPU": 16.0}, ExecutorConfig(threads=4)) == 4
    assert room({"CPU": 64.0, "GPU": 8.0}, ExecutorConfig()) == 8
    assert room({"CPU": 64.0, "GPU": 8.0}, ExecutorConfig(gpus=0.5)) == 16
    assert room({"CPU": 4.0, "GPU": 8.0}, ExecutorConfig()) == 4


def _kill_one(results: Path, killed: list[int]) -> None:
    """Kill the process of the first actor that has something in the store; a shard's name tells its process."""
    while not killed:
        for shard in (results / "store").rglob("*.jsonl"):
            pid = int(shard.name.rsplit("-", 2)[1])
            if pid != os.getpid() and not killed:
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
        time.sleep(0.005)


@pytest.mark.ray
def test_ray_ends_with_the_bytes_of_one_process_though_an_actor_is_killed(benchmark_root: Path, tmp_path: Path):
    pytest.importorskip("ray", reason="Ray is not installed")
    assert main(_words(benchmark_root, tmp_path / "one")) == DONE
    killed: list[int] = []
    killer = threading.Thread(target=_kill_one, args=(tmp_path / "two", killed), daemon=True)
    killer.start()
    assert main(_words(benchmark_root, tmp_path / "two", "executor=ray", "executor.workers=2")) == DONE
    killer.join(10)
    assert len(killed) == 1
    _same_numbers(tmp_path)


def _same_numbers(root: Path) -> None:
    for name in ("scores.parquet", "table.csv", "paired.csv"):
        one, two = ((root / run / "mini" / "mini" / "table1" / name).read_bytes() for run in ("one", "two"))
        assert one == two, name
