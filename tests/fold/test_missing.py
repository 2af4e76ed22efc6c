"""What is missing is counted and said: unusable entries, failed cases, metrics without a value, blank pictures."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from fake_runs import fake_run, noise
from PIL import Image

from spin_bench.cli.exit_codes import SOME_FAILED
from spin_bench.cli.main import main
from spin_bench.core.case import Case
from spin_bench.core.errors import PaintingError
from spin_bench.fold.write import fold
from spin_bench.models.stack import Stack
from spin_bench.run.prepare import Run
from spin_bench.run.work import work

FAULTS = (
    "background is corrupt", "background is missing", "background is animated", "background is transparent",
    "mask is empty", "mask is missing", "mask is corrupt", "mask has 16 bits", "reference is missing",
    "reference is truncated", "reference mask has another size", "prompt is missing", "two backgrounds", "two masks",
)  # fmt: skip


@dataclass(frozen=True)
class Unusable:
    id: str
    domain: str
    reason: str


def _about(folder: Path) -> dict:
    return json.loads((folder / "about.json").read_text())


@pytest.mark.slow
def test_fourteen_of_332_entries_are_missing_cases(benchmark_root: Path, tmp_path: Path, stack: Stack):
    run = fake_run(benchmark_root, tmp_path / "many", stack, "methods=[first]", "samples=1", "set_level=[]", metrics=1)
    few = run.cases
    cases = [replace(few[i % len(few)], id=f"{few[i % len(few)].domain}-{i:04}") for i in range(318)]
    unusable = tuple(Unusable(f"real-{9000 + i}", "real", fault) for i, fault in enumerate(FAULTS))
    run = replace(run, cases=cases, unusable=unusable)
    work(run)
    folder = fold(run)
    table = pd.read_csv(folder / "table.csv")
    assert len(table) == 1 and set(table["n"]) == {318} and set(table["missing"]) == {14}
    (note,) = (note for note in _about(folder)["notes"] if note.startswith("Unusable"))
    assert note.startswith("Unusable: 14 entries, which count as missing cases. real-9000: background is corrupt; ")
    assert all(f"real-{9000 + i}: {fault}" in note for i, fault in enumerate(FAULTS))
    scores = pd.read_parquet(folder / "scores.parquet")
    assert scores[scores["case"].str.startswith("real-9")]["value"].isna().all()
    assert len(_about(folder)["cases"]) == 318


def _with_first(run: Run, paint) -> Run:
    first = replace(run.methods["first"], build=lambda *_: paint)
    return replace(run, methods={**run.methods, "first": first})


def test_a_failed_case_s_reason_stands_in_about_json(benchmark_root: Path, tmp_path: Path, stack: Stack):
    def paint(case: Case, seeds: Sequence[int]) -> list[Image.Image]:
        if case.id == "real-0002":
            raise PaintingError("no picture today")
        return [Image.new("RGB", (64, 64)) if case.id == "real-0003" else noise(seed) for seed in seeds]

    run = _with_first(fake_run(benchmark_root, tmp_path / "odd", stack), paint)
    work(run)
    folder = fold(run)
    about = _about(folder)
    assert about["failures"] == {"first": {"real-0002": "PaintingError: no picture today"}}
    assert "Flagged as black or of one colour: 2 pictures (First 2)." in (folder / "table.md").read_text()


def test_a_metric_without_a_value_keeps_its_column_with_the_reason(benchmark_root: Path, tmp_path: Path, stack: Stack):
    run = fake_run(benchmark_root, tmp_path / "none", stack)
    without = replace(
        run.metrics["m1"],
        missing="where the benchmark does not know the truth",
        compute=lambda batch: torch.full((len(batch.images),), torch.nan),
    )
    run = replace(run, metrics={**run.metrics, "m1": without})
    work(run)
    folder = fold(run)
    table = pd.read_csv(folder / "table.csv").set_index(["method", "metric"])
    assert table.loc[("first", "m1"), ["n", "missing"]].tolist() == [0, 4]
    assert list(_about(folder)["records"]) == ["m0", "m1", "m2", "m3"]
    assert _about(folder)["reasons"] == {"m1": "missing where the benchmark does not know the truth"}


def test_what_is_whole_has_no_optional_field(benchmark_root: Path, tmp_path: Path, stack: Stack):
    """So that results that were folded before these fields came are folded to the same bytes again."""
    run = fake_run(benchmark_root, tmp_path / "whole", stack)
    work(run)
    assert set(_about(fold(run))) == {"title", "notes", "methods", "records", "ranked", "cases", "painted"}


@pytest.mark.slow
def test_a_run_over_an_unusable_entry_ends_with_3(
    benchmark_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    root = tmp_path / "benchmark"
    shutil.copytree(benchmark_root, root)
    background = next(next((root / "Real-Real").iterdir()).glob("bg*"))
    background.write_bytes(background.read_bytes()[:100])
    words = [f"dataset.root={root}", f"results_dir={tmp_path / 'results'}", "methods=[oracle]", "metrics=[psnr_bg]"]
    for command in ([], ["fold"]):
        assert main([*command, *words, "limit=2", "set_level=[]"]) == SOME_FAILED
        assert "1 entries are unusable, the table counts them as missing" in capsys.readouterr().out
    table = pd.read_csv(tmp_path / "results" / "mini" / "mini" / "table1" / "table.csv")
    assert table[["n", "missing"]].to_numpy().tolist() == [[1, 1]]
