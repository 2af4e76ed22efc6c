"""Changed code of a plug-in's metric never meets its old scores."""

import importlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from spin_bench.fold.provenance import changed_metrics
from spin_bench.metrics.metric import Metric
from spin_bench.metrics.registry import METRICS
from spin_bench.models.stack import Stack

PLUG_IN = """
from spin_bench.api import metric

@metric(title="Mine", higher_is_better=True, range=(0, 1))
def mine(batch):
    return batch.images.mean((1, 2, 3))
"""


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A function from a module's text to the metric that it holds, as a process would that starts now."""
    monkeypatch.syspath_prepend(tmp_path)

    def load(text: str) -> Metric:
        (tmp_path / "my_own_metric.py").write_text(text)
        monkeypatch.delitem(sys.modules, "my_own_metric", raising=False)
        importlib.invalidate_caches()
        return importlib.import_module("my_own_metric").mine

    return load


def test_other_code_is_another_key_and_a_comment_is_not(load, stack: Stack):
    before = load(PLUG_IN).key(stack)
    assert load("# a comment\n" + PLUG_IN).key(stack) == before
    assert load(PLUG_IN.replace("mean", "amax")).key(stack) != before


def test_a_built_in_metric_is_known_by_its_version():
    assert all(METRICS[name].code == "" for name in ("psnr_bg", "clip_i_crop", "diversity_crop"))


@pytest.mark.parametrize(("version", "lines"), [("1", 1), ("2", 0)])
def test_a_run_says_which_scores_are_computed_anew(load, tmp_path: Path, version: str, lines: int):
    told = {"mine": {"version": "1", "code": load(PLUG_IN).code}, "psnr_bg": {"version": "1"}}
    (tmp_path / "provenance.json").write_text(json.dumps({"metrics": told}))
    changed = load(PLUG_IN.replace("mean", "amax").replace('title="Mine"', f'title="Mine", version="{version}"'))
    said = changed_metrics(SimpleNamespace(metrics={"mine": changed}, case_metrics={}), tmp_path)
    assert said == ["Mine: its code changed and its version did not: its scores are computed anew"] * lines


@pytest.mark.parametrize("content", ["", "[]", '{"metrics": {"mine": 3}}', '{"metrics": []}'])
def test_a_folder_that_tells_nothing_changes_nothing(load, tmp_path: Path, content: str):
    (tmp_path / "provenance.json").write_text(content)
    assert changed_metrics(SimpleNamespace(metrics={"mine": load(PLUG_IN)}, case_metrics={}), tmp_path) == []
