"""`spin-bench store ...`: what is there is listed, what nobody needs goes, what is sound can move."""

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest
from fake_runs import fake_run, pictures, table

from spin_bench.cli.main import BAD_INPUT, DONE, main
from spin_bench.fold.results_folder import sign
from spin_bench.models.stack import Stack
from spin_bench.run.run import Run, plan
from spin_bench.run.work import work
from spin_bench.store import Store
from spin_bench.store.upkeep import YOUNG


@pytest.fixture
def run(benchmark_root: Path, tmp_path: Path, stack: Stack) -> Run:
    run = fake_run(benchmark_root, tmp_path / "results", stack)
    work(run)
    return run


def _store(verb: str, run: Run, *more: str) -> int:
    return main(["store", verb, f"results_dir={run.settings.results_dir}", *more])


def test_ls_tells_keys_apart(
    benchmark_root: Path, run: Run, stack: Stack, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    work(fake_run(benchmark_root, run.settings.results_dir, stack, "base_seed=1", "samples=1"))
    monkeypatch.setenv("COLUMNS", "200")
    capsys.readouterr()
    assert _store("ls", run) == DONE
    lines = [line.split("│")[1:-1] for line in capsys.readouterr().out.splitlines() if "│" in line]
    rows = {(cells[1].strip(), cells[-1].strip()): [cell.strip() for cell in cells[2:5]] for cells in lines}
    assert rows == {(m, f"seed={s}"): [str(n), "4", "0"] for m in ("first", "second") for s, n in ((0, 8), (1, 4))}
    assert _store("ls", run, "store.key=zz") == BAD_INPUT
    assert "no run key begins with 'zz'" in capsys.readouterr().err


def test_a_missing_store_is_said(tmp_path: Path, capsys: pytest.CaptureFixture):
    assert main(["store", "verify", f"store_dir={tmp_path / 'nowhere'}"]) == BAD_INPUT
    assert "no such store" in capsys.readouterr().err
    assert not (tmp_path / "nowhere").exists()


def test_gc_removes_what_nobody_tells_of(run: Run, capsys: pytest.CaptureFixture):
    root, before = run.settings.store_dir, pictures(run)
    folder = run.store.case_folder(run.keys["first"], run.cases[0])
    old = [folder / "9-0123456789abcdef.png", folder / ".0-0123.png.4567.tmp", root / "artefacts" / ".x.tmp"]
    young = folder / "8-0123456789abcdef.png"
    for path in (*old, young):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"rubbish")
    for path in old:
        os.utime(path, (path.stat().st_mtime - YOUNG - 60,) * 2)
    assert _store("gc", run, "store.dry_run=true") == DONE
    assert "3 files, would free" in capsys.readouterr().out
    assert all(path.exists() for path in old)
    assert _store("gc", run) == DONE
    assert not any(path.exists() for path in old)
    assert young.exists()
    assert pictures(run) == before


def test_gc_of_unused_keys_keeps_what_a_results_folder_names(benchmark_root: Path, run: Run, stack: Stack):
    sign(run)
    other = fake_run(benchmark_root, run.settings.results_dir, stack, "base_seed=1")
    work(other)
    assert _store("gc", run, "store.unused=true") == DONE
    left = {path.name for path in run.settings.store_dir.iterdir() if path.is_dir()}
    assert left == set(run.keys.values())
    assert len(pictures(run)) == 16


def test_an_export_is_a_store_that_can_be_merged(
    benchmark_root: Path, run: Run, tmp_path: Path, stack: Stack, capsys: pytest.CaptureFixture
):
    key = run.keys["first"]
    assert _store("export", run, f"store.to={tmp_path / 'out'}", f"store.key={key[:8]}") == DONE
    assert "8 pictures" in capsys.readouterr().out
    second = fake_run(benchmark_root, tmp_path / "second", stack, "methods=[second]")
    work(second)
    shutil.copytree(tmp_path / "out", second.settings.store_dir, dirs_exist_ok=True)
    merged = fake_run(benchmark_root, tmp_path / "second", stack)
    assert plan(merged) == []
    assert pictures(merged) == pictures(run)
    assert table(merged) == table(run)
    assert main(["store", "verify", f"store_dir={tmp_path / 'out'}"]) == DONE
    assert _store("export", run) == BAD_INPUT


def _as_format_1(run: Run, root: Path) -> None:
    """Write the run's results as the first version did."""
    for key in run.keys.values():
        for case in run.cases:
            folder = root / key / run.store.case_folder(key, case).name
            folder.mkdir(parents=True)
            for k in range(2):
                stored = run.store.stored(key, case, k)
                shutil.copyfile(stored.path, folder / f"{k}.png")
                (folder / f"{k}.json").write_text(json.dumps(asdict(stored.record)))
            (folder / "scores.json").write_text(json.dumps(run.store.scores(key, case)))
        shutil.copyfile(run.settings.store_dir / key / "settings.json", root / key / "settings.json")
    (root / "format.json").write_text('{"format":1}')


def test_a_store_of_format_1_comes_over(
    benchmark_root: Path, run: Run, tmp_path: Path, stack: Stack, capsys: pytest.CaptureFixture
):
    root = tmp_path / "old" / "store"
    _as_format_1(run, root)
    damaged = next(root.rglob("1.png"))
    damaged.write_bytes(damaged.read_bytes()[:-1])
    assert main(["store", "verify", f"store_dir={root}"]) == BAD_INPUT
    error = capsys.readouterr().err
    assert f"written in format 1, this version reads 2: spin-bench store migrate store_dir={root}" in error
    assert main(["store", "migrate", f"store_dir={root}"]) == DONE
    assert "15 pictures came over" in capsys.readouterr().out
    names = {path.name for path in root.rglob("*") if path.is_file()}
    assert not names & {"0.png", "1.png", "0.json", "scores.json"}
    moved = fake_run(benchmark_root, tmp_path / "old", stack)
    assert sum(len(job.missing) for job in plan(moved)) == 1
    work(moved)
    assert pictures(moved) == pictures(run)
    assert table(moved) == table(run)
    assert main(["store", "migrate", f"store_dir={root}"]) == BAD_INPUT
    assert Store(root).root == root
