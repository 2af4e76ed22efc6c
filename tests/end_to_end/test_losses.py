"""Nothing of anybody else's is deleted or overwritten, and no table loses rows that it was not told to lose."""

import json
import multiprocessing
import os
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from fake_runs import fake_run, pictures, table

from spin_bench.cli.exit_codes import BAD_INPUT, DONE
from spin_bench.cli.main import main
from spin_bench.core.case import Case
from spin_bench.models.stack import Stack
from spin_bench.run.work import work
from spin_bench.store.upkeep import rubbish, run_keys, unused

pytestmark = pytest.mark.slow  # each runs the command once or more

Files = dict[str, bytes]


def _files(folder: Path) -> Files:
    """Everything below a folder, empty folders included."""
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b"/" for path in folder.rglob("*")}


@pytest.fixture
def words(benchmark_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(sys, "argv", ["spin-bench"])  # Hydra reads it
    where = [f"dataset.root={benchmark_root}", f"results_dir={tmp_path / 'results'}"]
    return [*where, "limit=2", "metrics=[psnr_bg,mse_bg]", "set_level=[]"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "results" / "mini" / "mini" / "table1"


def _refused(words: list[str], root: Path, capsys: pytest.CaptureFixture) -> str:
    """The one line of a command that is refused and leaves everything below `root` as it was."""
    before = _files(root)
    capsys.readouterr()
    assert main(words) == BAD_INPUT
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("spin-bench: ")
    assert _files(root) == before
    return lines[0]


def _rows(folder: Path) -> dict[str, set[str]]:
    """Methods of a table and the metrics of each that have a value."""
    frame = pd.read_csv(folder / "table.csv").dropna(subset="mean")
    return {method: set(rows["metric"]) for method, rows in frame.groupby("method")}


@pytest.mark.parametrize("command", [[], ["fold"]])
def test_a_results_folder_that_is_somebody_s_is_refused(
    words: list[str], command: list[str], folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    for name in ("index.html", "figures/me.png", "images/a/b/0.png", "inputs/a/mask.png", "run.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("mine")
    for overwrite in ("false", "true"):
        error = _refused([*command, *words, "methods=[oracle]", f"overwrite={overwrite}"], tmp_path, capsys)
        assert "table1: not a results folder of ours, it holds figures and no format.json" in error


def test_a_store_that_is_somebody_s_is_refused(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("mine")
    error = _refused([*words, "methods=[oracle]", f"store_dir={tmp_path / 'home'}"], tmp_path, capsys)
    assert "home: not a store of ours, it holds letter.txt and no format.json: choose another store_dir" in error


def test_an_unreadable_run_file_is_a_refusal(
    words: list[str], folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    assert main([*words, "methods=[oracle]"]) == DONE
    (folder / "run.json").write_text("{")
    error = _refused([*words, "methods=[copy_paste]"], tmp_path, capsys)
    assert "run.json: unreadable, so what its folder holds is unknown" in error
    assert main([*words, "methods=[copy_paste]", "overwrite=true"]) == DONE


def test_a_run_of_fewer_methods_or_metrics_keeps_the_other_rows_and_columns(
    words: list[str], folder: Path, capsys: pytest.CaptureFixture
):
    assert main([*words, "methods=[copy_paste,oracle]"]) == DONE
    before = {name: (folder / name).read_bytes() for name in ("scores.parquet", "table.csv", "run.json")}
    capsys.readouterr()
    assert main([*words, "methods=[oracle]", "metrics=[mse_bg]"]) == DONE
    told = "Kept from an earlier run of this name: copy-paste; overwrite=true leaves them out"
    assert told in capsys.readouterr().out
    assert {name: (folder / name).read_bytes() for name in before} == before
    note = "Kept from an earlier run of this name, not asked for by the last: copy-paste."
    assert note in (folder / "table.md").read_text()
    assert main([*words, "methods=[oracle]", "metrics=[mse_bg]", "overwrite=true"]) == DONE
    assert _rows(folder) == {"oracle": {"mse_bg"}}


def test_readme_s_second_command_may_follow_its_first(words: list[str], folder: Path):
    """Fewer methods over more domains: the rows that were there stay, and say of how many cases they are."""
    assert main([*words, "methods=[copy_paste,oracle]"]) == DONE
    assert main([*words, "methods=[oracle]", "dataset.domains=all", "limit=null"]) == DONE
    frame = pd.read_csv(folder / "table.csv").set_index(["method", "metric"])
    assert frame.loc[("copy_paste", "mse_bg"), ["n", "missing"]].tolist() == [2, 2]
    assert frame.loc[("oracle", "mse_bg"), ["n", "missing"]].tolist() == [4, 0]


def test_a_variant_s_row_is_kept_with_its_title_and_its_deviation(words: list[str], folder: Path):
    variant = "+variants.copy_paste={cut: {title: the object alone, segmented: true}}"
    for more in (["methods=[copy_paste,oracle]", variant], ["methods=[oracle]"]):
        assert main([*words, *more]) == DONE
        about = json.loads((folder / "about.json").read_text())
        assert about["methods"] == {"copy_paste": "copy-paste", "cut": "the object alone", "oracle": "oracle"}
        assert "Deviation: the object alone: segmented=True (default False): set for this run" in about["notes"]


def test_rows_that_cannot_be_kept_are_not_lost_either(
    words: list[str], folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    assert main([*words, "methods=[copy_paste,oracle]"]) == DONE
    for more, row in (("methods=[oracle]", "copy-paste"), ("metrics=[mse_bg]", "PSNR-BG")):
        new = [*words, "methods=[copy_paste,oracle]", more, f"store_dir={tmp_path / 'new'}"]
        error = _refused(new, tmp_path, capsys)
        assert f"table1 has {row}, which this run does not ask for and cannot keep" in error
        assert "experiment_name=" in error and "overwrite=true" in error


def test_fold_with_nothing_scored_writes_nothing(
    words: list[str], folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    (tmp_path / "results").mkdir()
    error = _refused(["fold", *words, "methods=[oracle]"], tmp_path, capsys)
    assert "nothing of this run is scored yet: run the same command without fold" in error


def test_a_job_that_is_refused_leaves_its_sweep_as_it_was(
    words: list[str], folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    sweep = ["--multirun", *words, "method=copy_paste,oracle"]
    assert main(sweep) == DONE
    before = (folder / "sweep.json").read_bytes()
    assert main([*sweep, "base_seed=1"]) == BAD_INPUT  # both results folders hold another run
    assert "base_seed 0 there, 1 here" in capsys.readouterr().err
    assert (folder / "sweep.json").read_bytes() == before
    assert [job["exit_code"] for job in json.loads(before)["jobs"]] == [0, 0]


def test_two_folders_of_one_name_do_not_replace_each_other_s_scores(
    words: list[str], cases: list[Case], tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    for name, kind in (("a", "truth"), ("b", "background")):
        (tmp_path / name / "output").mkdir(parents=True)
        for case in cases:
            getattr(case, kind).save(tmp_path / name / "output" / f"{case.id}.png")
    score = ["score", *words, "beside=[]"]
    assert main([*score, f"images={tmp_path / 'a' / 'output'}"]) == DONE
    folder = tmp_path / "results" / "mini" / "mini" / "table1-output"
    before = _files(folder)
    error = _refused([*score, f"images={tmp_path / 'b' / 'output'}"], tmp_path, capsys)
    assert f"images {tmp_path / 'a' / 'output'} there, {tmp_path / 'b' / 'output'} here" in error
    assert main([*score, f"images={tmp_path / 'b' / 'output'}", "experiment_name=b"]) == DONE
    assert _files(folder) == before
    monkeypatch.chdir(tmp_path / "a" / "output")
    assert main([*score, "images=."]) == DONE  # the folder of before, by another way
    monkeypatch.chdir(tmp_path / "b" / "output")
    assert "here" in _refused([*score, "images=."], tmp_path, capsys)


def test_store_gc_during_a_run_loses_nothing(benchmark_root: Path, tmp_path: Path, stack: Stack):
    """Another process paints while this one removes rubbish and looks for keys that nobody needs, again and again."""
    whole = fake_run(benchmark_root, tmp_path / "whole", stack)
    work(whole)

    def child() -> None:
        torch.set_num_threads(1)
        run = fake_run(benchmark_root, tmp_path / "swept", stack, seconds=0.03)
        with run.store.in_use(run.keys.values()):
            work(run)
        os._exit(0)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    root, sweeps = tmp_path / "swept" / "store", 0
    while process.is_alive():
        if root.is_dir():
            for path in list(rubbish(root)):
                path.unlink()
            keys = run_keys(root)
            sweeps += bool(keys)
            assert not [key for key, why in unused(root, keys, set(), named=True) if not why]
    process.join()
    assert process.exitcode == 0 and sweeps > 3
    run = fake_run(benchmark_root, tmp_path / "swept", stack)
    assert pictures(run) == pictures(whole)
    assert table(run) == table(whole)
