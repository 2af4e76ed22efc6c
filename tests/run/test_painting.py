"""The engine when a method misbehaves: failures are recorded, memory that runs out halves the batch, ranks choose."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from rich.console import Console

from spin_bench.cli.exit_codes import DONE, SOME_FAILED
from spin_bench.cli.main import main
from spin_bench.config.compose import compose
from spin_bench.config.settings import run_settings
from spin_bench.core.case import Case
from spin_bench.core.errors import PaintingError, UserError
from spin_bench.diffusion.latents import to_pictures
from spin_bench.fold.frames import collect
from spin_bench.fold.write import fold
from spin_bench.methods.method import Method
from spin_bench.methods.painter import SHARED_SECONDS, Painter
from spin_bench.methods.registry import methods
from spin_bench.metrics.batch import Batch
from spin_bench.metrics.registry import METRICS
from spin_bench.models.stack import Stack
from spin_bench.run.painting import Halving, failures, generate
from spin_bench.run.plan import plan
from spin_bench.run.prepare import Run, prepare
from spin_bench.run.scoring import score
from spin_bench.run.selection import row_titles


@dataclass(frozen=True)
class NoSettings:
    pass


def _noise(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (64, 64, 3), np.uint8))


def _noisy(case: Case, seeds: Sequence[int]) -> list[Image.Image]:
    return [_noise(seed) for seed in seeds]


def _run(paint: Painter, root: Path, results: Path, stack: Stack, *overrides: str, ranked_by: str = "") -> Run:
    method = Method("Fake", NoSettings, lambda *_: paint, "1", ranked_by=ranked_by)
    config = compose(
        [f"dataset.root={root}", f"results_dir={results}", "methods=[fake]", "metrics=[lpips_bg]", *overrides]
    )
    known, metrics = {"fake": method, **methods()}, METRICS
    return prepare(run_settings(config, known, metrics), stack, known, metrics, Console(quiet=True))


def _painted(run: Run) -> int:
    generate(run, plan(run))
    score(run)
    return sum(len(run.store.records(key, case, 99)) for key in run.keys.values() for case in run.cases)


def test_a_case_that_fails_is_recorded_and_the_others_go_on(benchmark_root: Path, tmp_path: Path, stack: Stack):
    def paint(case: Case, seeds: Sequence[int]) -> list[Image.Image]:
        if case.id == "real-0002":
            return to_pictures(torch.full((len(seeds), 3, 64, 64), torch.nan))
        return _noisy(case, seeds)

    run = _run(paint, benchmark_root, tmp_path, stack)
    assert _painted(run) == 8
    failed = failures(run)
    assert {(f.case, f.k) for f in failed} == {("real-0002", k) for k in range(4)}
    assert all("PaintingError: NaN" in f.reason and "Traceback" in f.traceback for f in failed)
    folder = fold(run)
    table = pd.read_csv(folder / "table.csv").iloc[0]
    assert (table.n, table.missing) == (2, 1)
    assert re.search(r"Failed: 4 images\. Fake, real-0002: PaintingError: NaN", (folder / "table.md").read_text())

    mended = _run(_noisy, benchmark_root, tmp_path, stack)
    assert [run.cases[job.case].id for job in plan(mended)] == ["real-0002"]
    assert _painted(mended) == 12
    assert failures(mended) == []


def test_a_bad_setting_ends_the_run(benchmark_root: Path, tmp_path: Path, stack: Stack):
    def paint(case: Case, seeds: Sequence[int]) -> list[Image.Image]:
        raise UserError("mend me")

    run = _run(paint, benchmark_root, tmp_path, stack)
    with pytest.raises(UserError, match="mend me"):
        generate(run, plan(run))


def test_the_command_says_3_when_something_failed(
    benchmark_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    def broken(*_: object) -> list[Image.Image]:
        raise PaintingError("no picture today")

    oracle = methods()["oracle"]
    arguments = [f"dataset.root={benchmark_root}", f"results_dir={tmp_path}", "methods=[copy_paste,oracle]"]
    fails = Method("oracle", oracle.settings, lambda *_: broken, "1", seeded=False)
    monkeypatch.setattr("spin_bench.methods.baselines.oracle.METHOD", fails)
    assert main(arguments) == SOME_FAILED
    assert "3 images failed" in capsys.readouterr().out
    assert pd.read_csv(tmp_path / "mini/mini/table1/table.csv").set_index("method").loc["oracle", "missing"].max() == 3
    monkeypatch.undo()
    assert main(arguments) == DONE


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("x"), RuntimeError("DefaultCPUAllocator: can't allocate memory"), MemoryError()]
)
def test_memory_that_runs_out_halves_the_batch(
    error: Exception, cases: list[Case], caplog: pytest.LogCaptureFixture, room: int = 2
):
    sizes: list[int] = []

    def paint(case: Case, seeds: Sequence[int]) -> list[Image.Image]:
        sizes.append(len(seeds))
        if len(seeds) > room:
            raise error
        return _noisy(case, seeds)

    painter, seeds = Halving(paint), list(range(7))
    assert [p.tobytes() for p in painter(cases[0], seeds)] == [p.tobytes() for p in _noisy(cases[0], seeds)]
    assert sizes == [7, 3, 1, 1, 1, 1, 1, 1, 1]
    assert "out of memory with 7 images at once: going on with 3" in caplog.text
    sizes.clear()
    painter(cases[0], seeds[:2])
    assert sizes == [1, 1]  # it stays at what fitted


def test_one_image_that_does_not_fit_is_a_failure(cases: list[Case]):
    def paint(case: Case, seeds: Sequence[int]) -> list[Image.Image]:
        raise torch.OutOfMemoryError("too large")

    with pytest.raises(PaintingError, match=r"one image at once: try stack\.dtype=float16, stack\.offload=true"):
        Halving(paint)(cases[0], [1, 2, 3])


def _ranking(score_of: Callable[[int], float]) -> Painter:
    def paint(case: Case, seeds: Sequence[int]) -> list[Image.Image]:
        pictures = _noisy(case, seeds)
        for seed, picture in zip(seeds, pictures, strict=True):
            picture.info["distance"] = score_of(seed)
        return pictures

    return paint


def test_ranked_images_have_rows_of_their_own(benchmark_root: Path, tmp_path: Path, stack: Stack):
    paint = _ranking(lambda seed: seed / 2**63)
    run = _run(paint, benchmark_root, tmp_path, stack, "samples=3", "+samples_for.fake=6", ranked_by="distance")
    assert _painted(run) == 18
    scores, costs = collect(run)
    assert row_titles(run) == {"fake": "Fake", "fake@top1": "Fake top-1", "fake@top4": "Fake top-4"}
    assert len(costs) == 18
    for case in run.cases:
        mine = scores[scores.case == case.id].set_index(["method", "k"])
        by_seed = mine.loc["fake"].sort_values("seed")
        assert mine.loc["fake@top1"].index.tolist() == by_seed.index[:1].tolist()
        assert set(mine.loc["fake@top4"].index) == set(by_seed.index[:4])
    fold(run)


def test_samples_for_an_unknown_method_is_said(stack: Stack, tmp_path: Path, benchmark_root: Path):
    with pytest.raises(UserError, match="did you mean 'spin'"):
        _run(_noisy, benchmark_root, tmp_path, stack, "+samples_for.spim=2")
    with pytest.raises(UserError, match=r"samples_for\.spin=0"):
        _run(_noisy, benchmark_root, tmp_path, stack, "+samples_for.spin=0")


def test_shared_work_is_done_first_in_groups_that_a_kill_does_not_change(
    benchmark_root: Path, tmp_path: Path, stack: Stack
):
    groups: list[list[str]] = []

    def shared(settings: NoSettings, stack: Stack, cases: Sequence[Case]) -> None:
        groups.append([case.id for case in cases])
        raise RuntimeError("left to the painter")

    def paint(case: Case, seeds: Sequence[int]) -> list[Image.Image]:
        pictures = _noisy(case, seeds)
        for picture in pictures:
            picture.info[SHARED_SECONDS] = 100.0
        return pictures

    run = _run(paint, benchmark_root, tmp_path, stack, "batch_size=2")
    run = replace(run, methods={"fake": replace(run.methods["fake"], prepare=shared)})
    jobs = plan(run)
    generate(run, jobs[2:5])
    assert groups == [["real-0001", "real-0002"], ["real-0003"]]
    groups.clear()
    generate(run, [jobs[-1]])
    assert groups == [["real-0003"]]
    record = run.store.record(run.keys["fake"], run.cases[2], 0)
    assert 0 < record.seconds < 10 and record.facts[SHARED_SECONDS] == 100
    _, costs = collect(run)
    of_case = costs[costs["case"] == run.cases[2].id].set_index("k")["seconds"]
    assert len(of_case) == run.samples("fake") > 1
    assert of_case[0] == record.seconds + 100 / len(of_case)


def test_a_method_without_its_model_is_left_out_and_said(benchmark_root: Path, tmp_path: Path, stack: Stack):
    poor = replace(stack, loaders=replace(stack.loaders, inpaint_unet=None))
    run = _run(_noisy, benchmark_root, tmp_path, poor, "methods=[fake,sd_inpaint]")
    assert run.left_out == {"sd_inpaint": "stack mini has no inpaint_unet model"}
    assert list(run.keys) == ["fake"]
    _painted(run)
    assert "Left out: SD-inpaint: stack mini has no inpaint_unet model." in (fold(run) / "table.md").read_text()
    with pytest.raises(UserError, match="nothing to paint: sd_inpaint: stack mini has no inpaint_unet"):
        _run(_noisy, benchmark_root, tmp_path, poor, "methods=[sd_inpaint]")


def test_a_method_is_left_out_where_cases_do_not_know_what_it_reads(benchmark_root: Path, tmp_path: Path, stack: Stack):
    run = _run(_noisy, benchmark_root, tmp_path, stack, "methods=[fake,described,oracle]")
    assert run.left_out == {"described": "this benchmark does not know the colour and pattern of every case"}


def test_a_metric_of_the_case_is_one_number_a_row(benchmark_root: Path, tmp_path: Path, stack: Stack):
    paint = _ranking(lambda seed: seed / 2**63)
    more = ["samples=6", "metrics=[diversity_crop,lpips_bg]"]
    run = _run(paint, benchmark_root, tmp_path, stack, *more, ranked_by="distance")
    _painted(run)
    scores, _ = collect(run)
    found = scores[scores.metric == "diversity_crop"].set_index(["case", "method"]).value
    assert len(found) == 3 * 3  # a row each for all six, the best, and the best four
    for case in run.cases:
        key = run.keys["fake"]
        records = run.store.records(key, case, 6)
        best = sorted(records, key=lambda k: records[k].seed)[:4]
        pictures = [run.store.get(key, case, k)[0] for k in best]
        with torch.no_grad():
            expected = METRICS["diversity_crop"].compute(Batch([case] * 4, pictures, stack))
        assert found[case.id, "fake@top4"] == pytest.approx(expected, abs=1e-6)
        assert np.isnan(found[case.id, "fake@top1"])  # one picture has no diversity
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.jsonl")}
    score(run)
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*.jsonl")}
    assert "diversity" in (fold(run) / "table.md").read_text()
