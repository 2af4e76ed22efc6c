"""What cannot be painted is named and counted, and what can be is painted."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fake_runs import fake_run
from PIL import Image

from spin_bench.cli.main import main
from spin_bench.models.stack import Stack

LATENT = ("spin", "blended_diffusion", "blended_latent_diffusion", "sd_inpaint", "uni_paint")
QUICK = (
    "steps=1",
    "samples=1",
    "settings.spin.embedding.iterations=1",
    "settings.uni_paint.iterations=1",
    "set_level=[]",
)


@pytest.fixture
def benchmark(benchmark_root: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(benchmark_root, tmp_path / "benchmark"))


def entry(root: Path, index: int) -> Path:
    [folder] = root.glob(f"Real-Real/{index:04d} *")
    return folder


def test_a_run_carries_its_unusable_cases_and_warns_of_each(
    benchmark: Path, tmp_path: Path, stack: Stack, caplog: pytest.LogCaptureFixture
):
    (entry(benchmark, 1) / "bg01.png").write_bytes(b"")
    (entry(benchmark, 2) / "mask_bg_fg.jpg").unlink()
    run = fake_run(benchmark, tmp_path / "results", stack, "limit=3")
    assert [case.id for case in run.cases] == ["real-0003"]
    assert [case.id for case in run.unusable] == ["real-0001", "real-0002"]
    lines = [record.getMessage() for record in caplog.records]
    assert any(
        line.startswith("real-0001 counts as missing: ") and "bg01.png: unreadable (an empty file)" in line
        for line in lines
    )
    assert any(line.startswith("real-0002 counts as missing: ") and "missing mask" in line for line in lines)
    assert f"2 of 3 cases are unusable: spin-bench validate stack=mini dataset=mini dataset.root={benchmark}" in lines


def test_a_mask_between_the_cells_fails_where_cells_are_painted(
    benchmark: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    folder = entry(benchmark, 1)
    (folder / "mask_bg_fg.jpg").unlink()
    mask = Image.new("L", (64, 64))
    mask.paste(255, (10, 10, 11, 41))  # neither a latent cell nor a pixel of the half canvas
    mask.save(folder / "mask_bg_fg.png")
    words = [f"dataset.root={benchmark}", f"results_dir={tmp_path / 'results'}", "limit=1", "metrics=[psnr_bg]", *QUICK]
    assert main([f"methods=[{','.join(LATENT)},copy_paste]", *words]) == 3
    scores = pd.read_parquet(tmp_path / "results" / "mini" / "mini" / "table1" / "scores.parquet")
    values = scores[scores["metric"] == "psnr_bg"].set_index("method")["value"]
    assert not np.isnan(values["copy_paste"])
    assert all(np.isnan(np.atleast_1d(values[name])).all() for name in LATENT)
    capsys.readouterr()
    assert main(["validate", f"dataset.root={benchmark}"]) == 2
    assert (
        "mask_bg_fg.png: mask without a latent cell at a canvas of 64 px, where a cell has 4" in capsys.readouterr().out
    )
