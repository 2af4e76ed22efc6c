"""The command, end to end: real models, a small benchmark, few steps."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from spin_bench.cli.main import main
from spin_bench.methods.registry import methods
from spin_bench.mini.weights import ZOO
from spin_bench.models.config import StackConfig
from spin_bench.models.loading.load import load_stack

NUMBERS = ("table.md", "table.csv", "paired.csv", "table.tex", "subsets.csv", "subsets_paired.csv", "scores.parquet")
TABLES = (*NUMBERS, "grid.png")


def _arguments(root: Path, results: Path, *more: str) -> list[str]:
    quick = ["experiment=table1", "steps=2", "samples=2", "samples_for.blended_diffusion=3", "limit=2"]
    quick += ["settings.spin.embedding.iterations=2", "settings.uni_paint.iterations=1"]
    return [*quick, f"dataset.root={root}", f"results_dir={results}", *more]


def _here() -> set[str]:
    """The methods of the main table that the shipped stack has every model for."""
    stack = load_stack(StackConfig(name="mini", canvas=64, device="cpu"))
    main_table = {name: method for name, method in methods().items() if name != "described"}
    return {name for name, method in main_table.items() if not stack.missing(method.parts(method.settings()) or ())}


def _images(samples: int, blended: int) -> int:
    """That one case makes."""
    counts = {"blended_diffusion": blended, "copy_paste": 1, "oracle": 1}
    return sum(counts.get(name, samples) for name in _here())


def _painted(output: str) -> int:
    return int(re.search(r"(\d+) images to paint", output)[1])


def test_a_run_writes_its_table_and_a_second_one_paints_nothing(
    benchmark_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    run = _arguments(benchmark_root, tmp_path)
    assert main(run) == 0
    assert _painted(capsys.readouterr().out) == 2 * _images(2, blended=3)
    folder = tmp_path / "mini" / "mini" / "table1"
    before = {name: (folder / name).read_bytes() for name in TABLES}
    table = pd.read_csv(folder / "table.csv")
    assert list(table.columns) == ["method", "metric", "mean", "lo", "hi", "n", "missing"]
    assert set(table.method) - {"blended_diffusion@top1"} == _here()
    assert (table.n == 2).all()
    assert (table.missing == 0).all()
    assert table.set_index(["method", "metric"]).loc[("oracle", "clip_i_truth"), "mean"] == pytest.approx(1, abs=1e-5)
    assert list(pd.read_csv(folder / "paired.csv").columns) == [
        "method_a", "method_b", "metric", "diff", "lo", "hi", "p", "p_holm", "win_rate", "n", "effect"]  # fmt: skip
    scores = pd.read_parquet(folder / "scores.parquet")
    assert list(scores.columns) == ["method", "case", "domain", "k", "seed", "metric", "value"]
    beside = {"config.yaml", "provenance.json", "cost.csv", "about.json", "run.json", "index.html", "vote.html"}
    folders = {"figures", "inputs", "images"}
    assert {path.name for path in folder.iterdir()} == {*TABLES, *beside, *folders, "format.json"}
    assert {path.suffix for path in (folder / "figures").iterdir()} == {".png", ".pdf"}
    for suffix in ("png", "json"):
        assert len(list((folder / "images").rglob(f"*.{suffix}"))) == 2 * _images(2, blended=3)
    assert "not a number of any paper" in (folder / "table.md").read_text()
    assert "Spin: steps=2 (default 50)" in (folder / "table.md").read_text()

    assert main(run) == 0
    assert _painted(capsys.readouterr().out) == 0
    assert before == {name: (folder / name).read_bytes() for name in TABLES}

    assert main([*run, "guidance_scale=3"]) == 2
    assert "table1 holds a run with other settings (" in capsys.readouterr().err
    assert main([*run, "guidance_scale=3", "overwrite=true"]) == 0
    assert _painted(capsys.readouterr().out) == 2 * 2 * len(_here() - {"blended_diffusion", "copy_paste", "oracle"})
    assert main([*run, "overwrite=true"]) == 0
    assert _painted(capsys.readouterr().out) == 0
    assert before == {name: (folder / name).read_bytes() for name in TABLES}


def test_a_killed_run_ends_with_the_same_bytes(benchmark_root: Path, tmp_path: Path):
    more = ["limit=3", "metrics=[clip_i_crop,lpips_bg]"]
    whole, broken = (_arguments(benchmark_root, tmp_path / name, *more) for name in ("whole", "broken"))
    assert main(whole) == 0
    for wanted in (1, 5):
        process = subprocess.Popen([sys.executable, "-m", "spin_bench", *broken], stdout=subprocess.DEVNULL)
        while process.poll() is None and len(list((tmp_path / "broken").rglob("*.png"))) < wanted:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert len(list((tmp_path / "broken" / "store").rglob("*.png"))) >= 5
    assert main(broken) == 0
    for name in TABLES:
        paths = [tmp_path / run / "mini" / "mini" / "table1" / name for run in ("whole", "broken")]
        assert paths[0].read_bytes() == paths[1].read_bytes(), name


def test_a_sweep_is_hydra_s_multirun(benchmark_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    run = _arguments(benchmark_root, tmp_path, "method=spin", "method.embedding.iterations=1", "limit=1", "samples=1")
    monkeypatch.setattr(sys, "argv", ["spin-bench"])
    assert main(["--multirun", *run, "method.guidance_scale=1,4"]) == 0
    settings = [path.read_text() for path in (tmp_path / "store").glob("*/settings.json")]
    assert sorted(re.search(r'"guidance_scale":([\d.]+)', text)[1] for text in settings) == ["1.0", "4.0"]


def _break(root: Path, what: str) -> None:
    """Spoil every entry of the real domain: with one that is left, a run goes on."""
    for entry in root.glob("Real-Real/*"):
        background = next(entry.glob("bg*"))
        if what == "corrupt":
            background.write_bytes(background.read_bytes()[:200])
        elif what == "empty mask":
            Image.new("RGB", (64, 64)).save(entry / "mask_bg_fg.jpg")


@pytest.mark.parametrize(
    ("what", "message"),
    [("corrupt", r"bg01\.png"), ("empty mask", r"mask_bg_fg\.jpg"), ("missing", "no such folder|missing")],
)
def test_bad_data_is_one_line_and_writes_nothing(
    benchmark_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture, what: str, message: str
):
    root, results = tmp_path / "data", tmp_path / "results"
    if what != "missing":
        shutil.copytree(benchmark_root, root)
        _break(root, what)
    assert main(_arguments(root, results, "dataset=tficon")) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("spin-bench: ")
    assert "\n" not in error
    assert re.search(message, error)
    assert not results.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["methods=[spun]"], "did you mean 'spin'"),
        (["stack=mimi"], "did you mean 'mini'"),
        (["metrics=[clip]"], "unknown metric 'clip'"),
        (["valdate"], "unknown command 'valdate': did you mean 'validate'"),
        (["dataset=tficon"], "needs dataset.root="),
        (["nonsense=1"], "nonsense"),
        (["steps=0"], "steps=0: must be at least 1"),
        (["settings.uni_paint.steps=1001"], "settings.uni_paint.steps=1001: must be at most 1000"),
        (["+variants.spin={none: {title: none, steps: -1}}"], "variants.spin.none.steps=-1: must be at least 1"),
    ],
)
def test_a_wrong_word_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture, arguments: list[str], message: str):
    words = arguments if "=" not in arguments[0] else [*arguments, f"results_dir={tmp_path / 'results'}"]
    assert main(words) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert "\n" not in error
    assert not (tmp_path / "results").exists()


def test_a_source_tree_that_was_never_installed_says_so(
    benchmark_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    def nothing_there(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("spin_bench.run.painting.version", nothing_there)
    assert main(["limit=1", "methods=[copy_paste]", f"dataset.root={benchmark_root}", f"results_dir={tmp_path}"]) == 2
    assert "torch is not installed: run make setup, or pip install -e ." in capsys.readouterr().err


def test_altered_weights_are_named(benchmark_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    shutil.copytree(ZOO, tmp_path / "zoo")
    path = tmp_path / "zoo" / "unet" / "config.json"
    path.write_text(path.read_text().replace("4", "5", 1))
    assert main(_arguments(benchmark_root, tmp_path / "results", f"stack.root={tmp_path / 'zoo'}")) == 2
    assert re.search(r"unet/config\.json: SHA-256 is [0-9a-f]{16}…, not [0-9a-f]{16}…", capsys.readouterr().err)
    assert not (tmp_path / "results").exists()


def test_a_full_disk_loses_nothing(
    benchmark_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    run = _arguments(benchmark_root, tmp_path, "methods=[copy_paste,oracle]", "metrics=[lpips_bg]")
    synced, real = [], os.fsync  # what is written first: markers, who uses which key, then pictures

    def fills_up(descriptor: int) -> None:
        synced.append(descriptor)
        if len(synced) > 12:
            raise OSError(28, "No space left on device")
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr("spin_bench.core.files.os.fsync", fills_up)
        assert main(run) == 2
    assert f"No space left on device: {tmp_path}: mend it" in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.tmp"))
    assert main(run) == 0
    assert 0 < _painted(capsys.readouterr().out) < 4


def test_results_of_another_version_are_refused(benchmark_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "format.json").write_text('{"format": 1}')
    assert main(_arguments(benchmark_root, tmp_path)) == 2
    assert "written in format 1, this version reads 2: choose another store_dir" in capsys.readouterr().err
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["format.json"]


def test_validate_lists_every_problem(benchmark_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    root = tmp_path / "data"
    shutil.copytree(benchmark_root, root)
    _break(root, "corrupt")
    (sorted(root.glob("Real-Sketch/*"))[0] / "mask_bg_fg.jpg").unlink()
    assert main(["validate", "dataset=mini", f"dataset.root={root}"]) == 2
    captured = capsys.readouterr()
    lines = captured.out.strip().splitlines()
    assert any("bg01.png" in line for line in lines)
    assert any("Real-Sketch" in line and "mask_bg_fg" in line for line in lines)
    assert any(line.startswith("warning: 4 entries, the release has 332") for line in lines)
    assert f"{len(lines) - 1} problems, 1 warnings; 0 usable entries on stack mini, 64 px" in captured.err


def test_validate_succeeds_on_data_of_one_s_own(benchmark_root: Path, capsys: pytest.CaptureFixture):
    assert main(["validate", "dataset=tficon", f"dataset.root={benchmark_root}"]) == 0
    assert capsys.readouterr().out.strip().endswith("4 usable entries on stack mini, 64 px, 1 warnings")


def test_oracle_steps_aside_where_the_truth_is_not_known(
    benchmark_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    root = tmp_path / "data"
    shutil.copytree(benchmark_root, root, ignore=shutil.ignore_patterns("true_bg_fg.png"))
    run = _arguments(root, tmp_path / "results", "metrics=[lpips_bg]")
    assert main([*run, "methods=[copy_paste,oracle]"]) == 0
    assert _painted(capsys.readouterr().out) == 2
    assert main([*run, "methods=[oracle]"]) == 2
    assert "nothing to paint" in capsys.readouterr().err


SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "tficon"


# The benchmark may not be redistributed, so its ten genuine entries lie beside the checkout or nowhere.
@pytest.mark.skipif(not SHARED.is_dir(), reason="the genuine entries are not here")
def test_genuine_entries_run_on_the_embedded_stack(tmp_path: Path, capsys: pytest.CaptureFixture):
    run = _arguments(SHARED, tmp_path, "dataset=tficon", "dataset.domains=all", "limit=null", "samples=1")
    run.append("samples_for.blended_diffusion=1")
    assert main(run) == 0
    table = pd.read_csv(tmp_path / "mini" / "tficon" / "table1" / "table.csv")
    unknown = table.metric == "clip_i_truth"  # a column of dashes: this benchmark does not know the truth
    assert (table.n[~unknown] == 10).all()
    assert unknown.any() and (table.n[unknown] == 0).all() and (table.missing[unknown] == 10).all()
    assert set(table.method) == _here() - {"oracle"}  # which has no truth to show
    scores = pd.read_parquet(tmp_path / "mini" / "tficon" / "table1" / "scores.parquet")
    assert set(scores.domain) == {"real", "cartoon", "painting", "sketch"}
