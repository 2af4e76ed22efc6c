"""Where a result comes from: that the record says it, and that only time differs between two runs of one thing."""

import json
import subprocess
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
import yaml

from spin_bench.cli.main import main
from spin_bench.fold.provenance import git_state, packages


@pytest.fixture(scope="module")
def folder(benchmark_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of a run without any model's painting."""
    results = tmp_path_factory.mktemp("results")
    run = ["experiment=table1", f"dataset.root={benchmark_root}", "limit=2", "methods=[copy_paste,oracle]"]
    assert main([*run, "metrics=[lpips_bg,clip_i_crop]", "base_seed=7", f"results_dir={results}"]) == 0
    return results / "mini" / "mini" / "table1"


def test_provenance_says_what_was_run(folder: Path):
    found = json.loads((folder / "provenance.json").read_text())
    assert found["packages"]["torch"] == version("torch") and "pytest" not in found["packages"]
    assert {"python", "numpy", "diffusers", "spin-bench"} <= set(found["packages"])
    assert found["machine"]["threads"] == torch.get_num_threads() and found["machine"]["device"]
    assert found["stack"]["device"] == "cpu" and found["stack"]["canvas"] == 64
    assert all(len(digest) == 64 for files in found["weights"].values() for digest in files.values())
    assert set(found["methods"]) == {"copy_paste", "oracle"} and found["seeds"]["base_seed"] == 7
    assert found["dataset"]["cases"] == 2 and set(found["metrics"]) == {"lpips_bg", "clip_i_crop"}
    started, ended = (datetime.fromisoformat(found["time"][name]) for name in ("started", "ended"))
    assert 0 <= (ended - started).total_seconds() < 600
    for name, about in found["methods"].items():
        assert (folder.parents[2] / "store" / about["key"] / "settings.json").exists(), name


def test_config_is_whole_and_resolved(folder: Path):
    text = (folder / "config.yaml").read_text()
    assert "${" not in text
    config = yaml.safe_load(text)
    assert (
        config["base_seed"] == 7 and config["stack"]["name"] == "mini" and config["methods"] == ["copy_paste", "oracle"]
    )


def test_packages_are_those_we_depend_on():
    assert set(packages()) >= {"torch", "pyarrow", "hydra-core"} and "ruff" not in packages()


def test_git_state_knows_commits_changes_and_strangers(tmp_path: Path):
    def git(*words: str) -> str:
        identity = ("-c", "user.name=n", "-c", "user.email=e@x")
        done = subprocess.run(["git", "-C", tmp_path, *identity, *words], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    assert git_state(tmp_path) is None
    git("init")
    (tmp_path / "spin_bench").mkdir()
    code = tmp_path / "spin_bench" / "x.py"
    code.write_text("a = 1\n")
    git("add", ".")
    git("commit", "-m", "m")
    (tmp_path / "results.txt").write_text("not code")
    assert git_state(tmp_path) == {"commit": git("rev-parse", "HEAD"), "dirty": False}
    code.write_text("a = 2\n")
    assert git_state(tmp_path) == {"commit": git("rev-parse", "HEAD"), "dirty": True}
    assert git_state(tmp_path / "spin_bench") is None  # a package inside somebody's checkout
