"""A run of the benchmark's second version: its bound reads the look, and its results lie apart from the first one's."""

import json
from pathlib import Path

import pandas as pd
import pytest

from spin_bench.cli.main import main

pytestmark = pytest.mark.slow


def test_a_run_over_individuals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SPIN_BENCH_CACHE", str(tmp_path / "cache"))
    run = ["experiment=table1", f"results_dir={tmp_path}", "limit=1", "samples=1", "steps=2", "set_level=[]"]
    run += ["methods=[copy_paste,described]", "metrics=[palette_fg,psnr_bg]"]
    assert main([*run, "dataset.version=2"]) == 0
    folder = tmp_path / "mini" / "mini-2" / "table1"
    table = pd.read_csv(folder / "table.csv").set_index(["method", "metric"])
    assert (table.xs("palette_fg", level="metric")["mean"] > 0).all() and (table.missing == 0).all()
    assert "version 1's world and never saw such individuals" in (folder / "table.md").read_text()
    assert json.loads((folder / "provenance.json").read_text())["dataset"]["version"] == 2

    assert main(run) == 0  # of the first version, whose cases have the same names
    folder = tmp_path / "mini" / "mini" / "table1"
    assert set(pd.read_csv(folder / "table.csv").method) == {"copy_paste"}
    page = (folder / "table.md").read_text()
    assert "Left out: described: this benchmark does not know the colour and pattern of every case" in page
    assert "never saw such individuals" not in page
    assert "version" not in json.loads((folder / "provenance.json").read_text())["dataset"]
