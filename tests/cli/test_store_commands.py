"""`spin-bench store ...`: what is there is listed, what nobody needs goes, what is sound can move."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from fake_runs import fake_run, pictures, table

from spin_bench.cli.exit_codes import BAD_INPUT, DONE
from spin_bench.cli.main import main
from spin_bench.fold.results_folder import sign
from spin_bench.models.stack import Stack
from spin_bench.run.plan import plan
from spin_bench.run.prepare import Run
from spin_bench.run.work import work
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
    old = [
        folder / "9-0123456789abcdef.png",
        folder / ".0-0123456789abcdef.png.01234567.tmp",
        root / "artefacts" / ".x.safetensors.89abcdef.tmp",
    ]
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


def _make_old(root: Path) -> None:
    """Everything below `root` was last touched more than an hour ago."""
    for path in root.rglob("*"):
        os.utime(path, (path.stat().st_mtime - YOUNG - 60,) * 2)


def _keys_left(run: Run) -> set[str]:
    return {path.name for path in run.settings.store_dir.iterdir() if path.is_dir()}


@pytest.fixture
def other(benchmark_root: Path, run: Run, stack: Stack) -> Run:
    """A run of another seed into the same store, that ended and left no results folder."""
    other = fake_run(benchmark_root, run.settings.results_dir, stack, "base_seed=1")
    with other.store.in_use(other.keys.values()):
        work(other)
    return other


def test_gc_of_unused_keys_keeps_what_a_results_folder_names(run: Run, other: Run):
    sign(run)
    _make_old(run.settings.store_dir)
    assert _store("gc", run, "store.unused=true", "store.dry_run=true") == DONE
    assert _keys_left(run) == {*run.keys.values(), *other.keys.values()}
    assert _store("gc", run, "store.unused=true") == DONE
    assert _keys_left(run) == set(run.keys.values())
    assert len(pictures(run)) == 16


def test_gc_of_unused_keys_keeps_young_ones(run: Run, other: Run, capsys: pytest.CaptureFixture):
    sign(run)
    assert _store("gc", run, "store.unused=true") == DONE
    assert capsys.readouterr().out.count("kept, it is younger than an hour") == 2
    assert len(pictures(other)) == 16


def test_gc_of_unused_keys_keeps_those_of_a_run_under_way(run: Run, other: Run, capsys: pytest.CaptureFixture):
    sign(run)
    with other.store.in_use(other.keys.values()):
        _make_old(run.settings.store_dir)
        assert _store("gc", run, "store.unused=true") == DONE
        assert capsys.readouterr().out.count("kept, a run under way needs it") == 2
        assert len(pictures(other)) == 16
    assert _store("gc", run, "store.unused=true") == DONE
    assert _keys_left(run) == set(run.keys.values())


def test_gc_of_unused_keys_knows_results_folders_that_it_was_not_told_of(
    run: Run, other: Run, tmp_path: Path, capsys: pytest.CaptureFixture
):
    """Two results folders on one store: the store itself knows them both, wherever they lie, and when they are gone."""
    sign(run)
    elsewhere = replace(other, settings=replace(other.settings, results_dir=tmp_path / "elsewhere"))
    sign(elsewhere)
    _make_old(tmp_path)
    assert _store("gc", run, "store.unused=true") == DONE
    assert f"kept, {tmp_path / 'elsewhere'}/mini/mini/table1 was made from it" in capsys.readouterr().out
    assert len(pictures(other)) == 16
    (tmp_path / "elsewhere").rename(tmp_path / "unplugged")
    assert _store("gc", run, "store.unused=true") == DONE
    assert "elsewhere is not here, whose results were made from it" in capsys.readouterr().out
    (tmp_path / "unplugged").rename(tmp_path / "elsewhere")
    shutil.rmtree(tmp_path / "elsewhere" / "mini")
    assert _store("gc", run, "store.unused=true") == DONE
    assert _keys_left(run) == set(run.keys.values())


def test_a_project_that_moved_keeps_its_keys(run: Run, other: Run, tmp_path: Path, capsys: pytest.CaptureFixture):
    sign(run)
    (tmp_path / "empty").mkdir()
    (tmp_path / "home").mkdir()
    run.settings.results_dir.rename(tmp_path / "home" / "results")
    _make_old(tmp_path)
    store = tmp_path / "home" / "results" / "store"
    words = ["store", "gc", "store.unused=true", f"store_dir={store}", f"results_dir={tmp_path / 'empty'}"]
    assert main(words) == DONE
    assert {path.name for path in store.iterdir() if path.is_dir()} == set(run.keys.values())


def test_gc_of_keys_that_nobody_ever_recorded_wants_them_named(run: Run, capsys: pytest.CaptureFixture):
    """As an earlier version left them, which kept no record of who needs what."""
    _make_old(run.settings.store_dir)
    assert _store("gc", run, "store.unused=true") == DONE
    assert capsys.readouterr().out.count("kept, who needs it was never recorded") == 2
    assert len(pictures(run)) == 16
    key = run.keys["first"]
    assert _store("gc", run, "store.unused=true", f"store.key={key}") == DONE
    assert _keys_left(run) == {run.keys["second"]}


def test_gc_refuses_where_results_cannot_be_known(run: Run, other: Run, tmp_path: Path, capsys: pytest.CaptureFixture):
    sign(run)
    _make_old(run.settings.store_dir)
    store = f"store_dir={run.settings.store_dir}"
    assert main(["store", "gc", "store.unused=true", store, f"results_dir={tmp_path / 'none'}"]) == BAD_INPUT
    assert "no such folder, so who needs what is unknown" in capsys.readouterr().err
    (run.settings.results_dir / "mini" / "mini" / "table1" / "run.json").write_text("{")
    assert _store("gc", run, "store.unused=true") == BAD_INPUT
    assert "run.json: unreadable, so what it needs is unknown" in capsys.readouterr().err
    assert len(pictures(run)) == len(pictures(other)) == 16


@pytest.mark.parametrize("verb", ["ls", "verify", "gc", "export"])
@pytest.mark.parametrize("content", [["notes.txt", ".draft.0123abcd.tmp", "x.tmp"], [], ["format.json"]])
def test_a_folder_that_is_no_store_is_refused_and_left_alone(
    verb: str, content: list[str], tmp_path: Path, capsys: pytest.CaptureFixture
):
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in content:
        (folder / name).write_text('{"format": 1}')
        os.utime(folder / name, (0, 0))
    more = [f"store.to={tmp_path / 'to'}"] if verb == "export" else []
    assert main(["store", verb, f"store_dir={folder}", *more]) == BAD_INPUT
    error = capsys.readouterr().err.strip()
    assert error.startswith(f"spin-bench: {folder}: ") and "\n" not in error and "store_dir" in error
    assert sorted(path.name for path in folder.iterdir()) == sorted(content)
    assert not (tmp_path / "to").exists()


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
