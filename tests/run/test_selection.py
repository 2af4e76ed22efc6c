"""Rows beside a method's own: a few of many images, the best by a rank, never mixed with the mean of all."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from spin_bench.config.compose import compose
from spin_bench.config.settings import run_settings
from spin_bench.core.case import Case
from spin_bench.core.errors import UserError
from spin_bench.core.identity import derive_seed
from spin_bench.fold.frames import collect
from spin_bench.methods.method import Method
from spin_bench.methods.registry import methods
from spin_bench.metrics.registry import METRICS
from spin_bench.models.stack import Stack
from spin_bench.run.painting import generate
from spin_bench.run.plan import plan
from spin_bench.run.prepare import Run, prepare
from spin_bench.run.scoring import score
from spin_bench.run.selection import row_titles, selections


@dataclass(frozen=True)
class NoSettings:
    pass


def _spoiled(case: Case, seeds: Sequence[int]) -> list[Image.Image]:
    """The background, brighter by as many levels as the seed says: PSNR ranks the images."""
    levels = np.asarray(case.background, int)
    return [Image.fromarray((levels + 1 + seed % 97).clip(0, 255).astype(np.uint8)) for seed in seeds]


def _run(root: Path, results: Path, stack: Stack, *overrides: str) -> Run:
    known = {name: Method(name.title(), NoSettings, lambda *_: _spoiled, "1") for name in ("many", "few")}
    arguments = [f"dataset.root={root}", f"results_dir={results}", "methods=[many,few]", "metrics=[psnr_bg,mse_bg]"]
    config = compose([*arguments, "samples=4", "+samples_for.many=6", "samples_for.blended_diffusion=32", *overrides])
    run = prepare(run_settings(config, {**known, **methods()}, METRICS), stack, known, METRICS, Console(quiet=True))
    generate(run, plan(run))
    score(run)
    return run


def test_the_first_four_of_more_and_the_best_of_four(benchmark_root: Path, tmp_path: Path, stack: Stack):
    run = _run(benchmark_root, tmp_path, stack, "best_by=psnr_bg")
    assert row_titles(run) == {
        "many": "Many", "many@k4": "Many k=4", "many@best4": "Many best of 4 by PSNR-BG",
        "few": "Few", "few@best4": "Few best of 4 by PSNR-BG",
    }  # fmt: skip
    scores, costs = collect(run)
    assert set(costs["method"]) == {"many", "few"}  # variants cost nothing of their own
    values = scores[scores["metric"] == "psnr_bg"].set_index(["method", "case", "k"])["value"].sort_index()
    for case in run.cases:
        brighter = [1 + derive_seed(0, case.id, k) % 97 for k in range(6)]
        best = min(range(4), key=lambda k: (brighter[k], k))
        rows = {row: list(values.loc[row, case.id].index) for row in row_titles(run)}
        assert rows["many"] == [0, 1, 2, 3, 4, 5] and rows["few"] == rows["many@k4"] == [0, 1, 2, 3]
        assert rows["many@best4"] == rows["few@best4"] == [best]
        assert values["many@best4", case.id, best] == values["many", case.id].loc[:3].max()


def test_no_variant_where_there_is_nothing_to_choose_from(benchmark_root: Path, tmp_path: Path, stack: Stack):
    run = _run(benchmark_root, tmp_path, stack, "samples=1", "samples_for.many=4", "limit=1")
    assert list(row_titles(run)) == ["many", "few"]
    assert [one.row for one in selections(run)] == ["many", "few"]


def test_the_best_by_a_metric_that_is_not_shown_is_refused(benchmark_root: Path, tmp_path: Path, stack: Stack):
    with pytest.raises(UserError, match="unknown metric in best_by 'clip_t'"):
        _run(benchmark_root, tmp_path, stack, "best_by=clip_t")
