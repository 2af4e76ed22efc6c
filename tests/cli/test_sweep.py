"""A sweep is resumed by settings, loads its stack once, and keeps its jobs apart."""

import json
import re
import sys
from pathlib import Path

import pandas as pd
import pytest

from spin_bench.cli.exit_codes import BAD_INPUT, DONE, SOME_FAILED
from spin_bench.cli.main import main
from spin_bench.cli.multirun import LONGEST, job_name
from spin_bench.config.compose import compose
from spin_bench.config.words import config_folder, jobs, read_words
from spin_bench.core.errors import PaintingError
from spin_bench.methods.method import Method
from spin_bench.methods.registry import methods
from spin_bench.models.loading import load

PRESETS = sorted(path.stem for path in (config_folder() / "sweep").glob("*.yaml"))


@pytest.fixture
def words(benchmark_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(sys, "argv", ["spin-bench"])  # Hydra reads it
    quick = ["method=sd_inpaint", "method.steps=1", "limit=2", "samples=1", "metrics=[psnr_bg]"]
    return [*quick, f"dataset.root={benchmark_root}", f"results_dir={tmp_path}"]


def _painted(output: str) -> list[int]:
    return [int(count) for count in re.findall(r"(\d+) images to paint", output)]


def test_a_sweep_resumes_by_settings_and_loads_its_stack_once(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    loaded, real = [], load.STACKS["mini"]
    monkeypatch.setitem(load.STACKS, "mini", lambda *args: loaded.append(args) or real(*args))
    assert main(["--multirun", *words, "method.guidance_scale=1,4"]) == DONE
    assert _painted(capsys.readouterr().out) == [2, 2]
    assert len(loaded) == 1
    sweep = tmp_path / "mini" / "mini" / "table1"
    before = (sweep / "method.guidance_scale-4" / "table.csv").read_bytes()

    assert main(["--multirun", *words, "method.guidance_scale=8,4,1"]) == DONE  # other numbers of the same jobs
    assert _painted(capsys.readouterr().out) == [2, 0, 0]
    assert (sweep / "method.guidance_scale-4" / "table.csv").read_bytes() == before
    index = json.loads((sweep / "sweep.json").read_text())
    assert index["parameters"] == ["method.guidance_scale"]
    assert [job["values"]["method.guidance_scale"] for job in index["jobs"]] == [1, 4, 8]
    assert [job["exit_code"] for job in index["jobs"]] == [0, 0, 0]
    scores = pd.read_parquet(sweep / "sweep.parquet")
    assert list(scores.columns) == ["method.guidance_scale", "method", "case", "domain", "k", "seed", "metric", "value"]
    for job in index["jobs"]:
        own = pd.read_parquet(sweep / job["folder"] / "scores.parquet").reset_index(drop=True)
        mine = scores[scores["method.guidance_scale"] == job["values"]["method.guidance_scale"]]
        pd.testing.assert_frame_equal(mine.iloc[:, 1:].reset_index(drop=True), own)


def test_what_fails_is_the_sweep_s_exit_code_and_the_other_jobs_go_on(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    real = methods()["copy_paste"]

    def broken(*_: object):
        raise PaintingError("no picture today")

    fails = Method("x", real.settings, lambda *_: broken, "1", seeded=False)
    monkeypatch.setattr("spin_bench.methods.baselines.copy_paste.METHOD", fails)
    sweep = ["--multirun", *(word for word in words if not word.startswith("method")), "method=copy_paste,oracle"]
    assert main(sweep) == SOME_FAILED
    jobs = json.loads((tmp_path / "mini" / "mini" / "table1" / "sweep.json").read_text())["jobs"]
    assert {job["folder"]: job["exit_code"] for job in jobs} == {"method-copy_paste": 3, "method-oracle": 0}
    capsys.readouterr()
    assert main([*sweep, "fail_fast=true"]) == SOME_FAILED
    captured = capsys.readouterr()
    assert "stopped, since fail_fast=true" in captured.err
    assert len(_painted(captured.out)) == 1  # the other job was not begun


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_composes_and_names_a_sweep(name: str):
    config = compose([f"sweep={name}"])
    assert config.experiment_name == f"sweep-{name}"
    text = (config_folder() / "sweep" / f"{name}.yaml").read_text()
    parameter, values = re.search(r"params:\n\s+([\w.]+): (.+)", text).groups()
    assert len(values.split(",")) >= 4
    for value in values.split(","):
        swept = compose([f"sweep={name}", f"{parameter}={value}"])
        found = swept
        for part in parameter.split("."):
            found = found[part]
        assert found == float(value)


def test_a_preset_needs_no_flag(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture):
    more = [
        "sweep=cfg",
        "methods=[sd_inpaint]",
        "settings.sd_inpaint.steps=1",
        "hydra.sweeper.params.guidance_scale='7.5,1'",
    ]
    assert main([*[word for word in words if not word.startswith("method")], *more, "limit=1"]) == DONE
    folder = tmp_path / "mini" / "mini" / "sweep-cfg"
    jobs = json.loads((folder / "sweep.json").read_text())["jobs"]
    assert [job["values"]["guidance_scale"] for job in jobs] == [1, 7.5]
    assert (folder / "guidance_scale-7.5" / "table.csv").exists()


def test_an_unknown_preset_is_said(tmp_path: Path, capsys: pytest.CaptureFixture):
    assert main(["sweep=cgf", f"results_dir={tmp_path}"]) == BAD_INPUT
    assert "unknown sweep 'cgf': did you mean 'cfg'" in capsys.readouterr().err


def test_names_of_jobs_are_names_of_folders():
    words = read_words(["limit=1,2", "+variants.spin.a.steps=3,4", "methods=[spin]", "steps=5"])
    fixed = ["methods=[spin]", "steps=5"]
    a, b = "+variants.spin.a.steps=3", "+variants.spin.a.steps=4"
    assert jobs(words) == [["limit=1", a, *fixed], ["limit=2", a, *fixed], ["limit=1", b, *fixed]]
    assert job_name({"steps": 25, "method.lr": 5e-4}) == "steps-25,method.lr-0.0005"
    assert job_name({"dataset.domains": ["real", "sketch"]}) == "dataset.domains-real+sketch"
    long = {"settings.spin.text": "a" * 300}
    assert len(job_name(long)) <= LONGEST and job_name(long) != job_name({"settings.spin.text": "a" * 301})
