"""Scoring as a whole: what is computed how often, what a kill leaves behind, and that bytes do not depend on it."""

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console
from torch import Tensor

from spin_bench.config.compose import compose
from spin_bench.config.settings import run_settings
from spin_bench.core.case import Case
from spin_bench.methods.method import Method
from spin_bench.methods.registry import methods
from spin_bench.metrics import case_features
from spin_bench.metrics.batch import Batch
from spin_bench.metrics.case_features import TOGETHER
from spin_bench.metrics.registry import METRICS
from spin_bench.models.stack import Stack
from spin_bench.run.painting import generate
from spin_bench.run.plan import plan, units
from spin_bench.run.prepare import Run, prepare
from spin_bench.run.scoring import score, unscored
from spin_bench.store import Store

WANTED = "metrics=[clip_i_crop,clip_t,coherence_style_seam,coherence_scene,judge_i_crop,psnr_bg]"


@dataclass(frozen=True)
class NoSettings:
    pass


def _noise(name: str) -> Method:
    def paint(case: Case, seeds: Sequence[int]) -> list[Image.Image]:
        draws = [np.random.default_rng([len(name), seed]) for seed in seeds]
        return [Image.fromarray(draw.integers(0, 256, (64, 64, 3), np.uint8)) for draw in draws]

    return Method(name, NoSettings, lambda *_: paint, "1")


def _run(root: Path, store: Path, stack: Stack, *overrides: str) -> Run:
    """Two methods that paint noise, over all four cases."""
    known = {name: _noise(name) for name in ("first", "second")}
    arguments = [f"dataset.root={root}", f"results_dir={store}", "methods=[first,second]", "dataset.domains=all"]
    config, metrics = compose([*arguments, WANTED, "samples=3", *overrides]), METRICS
    run = prepare(run_settings(config, {**known, **methods()}, metrics), stack, known, metrics, Console(quiet=True))
    generate(run, plan(run))
    return run


def _scores(run: Run) -> dict[tuple[str, str], dict[str, dict[int, float | None]]]:
    return {(m, case.id): run.store.scores(key, case) for m, key in run.keys.items() for case in run.cases}


class Counting:
    """The stack's CLIP, which counts the pictures that it sees."""

    def __init__(self, clip):
        self._clip, self.seen, self.batches = clip, [], []

    def __getattr__(self, name: str):
        return getattr(self._clip, name)

    def _count(self, images: Tensor) -> None:
        self.seen += [picture.numpy().tobytes() for picture in images]
        self.batches.append(len(images))

    def encode_image(self, images: Tensor) -> Tensor:
        self._count(images)
        return self._clip.encode_image(images)

    def encode_with_patches(self, images: Tensor) -> tuple[Tensor, Tensor]:
        self._count(images)
        return self._clip.encode_with_patches(images)


def test_an_encoder_sees_every_picture_once(benchmark_root: Path, tmp_path: Path, stack: Stack):
    """Six metrics, two methods: whole pictures and crops of them, and whatever belongs to the cases."""
    clip = Counting(stack.clip)
    run = _run(benchmark_root, tmp_path, replace(stack, loaders=replace(stack.loaders, clip=lambda: clip)))
    score(run)
    pictures = 2 * 3 * len(run.cases)
    of_cases = 3 * len(run.cases)  # the reference's object, the scene, the crop of the scene
    assert len(set(clip.seen)) == 2 * pictures + of_cases
    # whole pictures and crops in two batches each, and one of each kind that belongs to the cases
    assert clip.batches == [TOGETHER] * (2 * -(-pictures // TOGETHER) + 3)
    score(run)
    assert len(clip.batches) == 7


def test_what_is_scored_stays(benchmark_root: Path, tmp_path: Path, stack: Stack):
    run = _run(benchmark_root, tmp_path, stack, "metrics=[psnr_bg,mse_bg]")
    case, key, psnr = run.cases[0], run.keys["first"], METRICS["psnr_bg"].key(stack)
    assert unscored(run) == 2 * len(run.cases)
    run.store.put_scores(key, case, {psnr: {0: 1.5, 1: 2.5}})
    score(run)
    known = run.store.scores(key, case)
    assert {k: known[psnr][k] for k in (0, 1)} == {0: 1.5, 1: 2.5} and known[psnr][2] not in (None, 1.5, 2.5)
    assert unscored(run) == 0


def test_a_new_metric_computes_itself_alone(benchmark_root: Path, tmp_path: Path, stack: Stack):
    score(_run(benchmark_root, tmp_path, stack, "metrics=[psnr_bg,clip_t]"))
    run = _run(benchmark_root, tmp_path, stack, "metrics=[psnr_bg,clip_t,mse_bg]")
    before, computed = _scores(run), []
    run.metrics["clip_t"] = replace(run.metrics["clip_t"], compute=computed.append)  # would fail if it were called
    score(run)
    assert computed == []
    added = METRICS["mse_bg"].key(stack)
    for place, scores in _scores(run).items():
        assert {key: values for key, values in scores.items() if key != added} == before[place]
        assert set(scores[added]) == {0, 1, 2}


def test_a_score_does_not_depend_on_what_was_scored_beside_it(benchmark_root: Path, tmp_path: Path, stack: Stack):
    """All at once, against one case and one method at a time and backwards: the same bytes."""
    together, apart = (_run(benchmark_root, tmp_path / name, stack) for name in ("together", "apart"))
    score(together)
    for unit in reversed(units(apart)):
        for index in reversed(unit.cases):
            score(apart, [replace(unit, cases=(index,))])
    assert _scores(apart) == _scores(together)
    assert all(len(values) == 3 for scores in _scores(apart).values() for values in scores.values())


def test_killed_while_scoring_it_goes_on_and_ends_with_the_same_bytes(
    benchmark_root: Path, tmp_path: Path, stack: Stack, monkeypatch: pytest.MonkeyPatch
):
    """A warm process forks, the child is killed by SIGKILL after three of eight cases, the parent resumes."""
    quick = "metrics=[clip_i_crop,clip_t,psnr_bg]"
    whole, broken = (_run(benchmark_root, tmp_path / name, stack, quick) for name in ("whole", "broken"))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # a fork has no worker threads
    score(whole)  # loads every network before the fork
    put, written = Store.put_scores, []

    def dies(self: Store, *arguments) -> None:
        put(self, *arguments)
        written.append(arguments)
        if len(written) == 3:
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        Store.put_scores = dies
        score(broken)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    broken.store.refresh()
    left = _scores(broken)
    assert sum(bool(scores) for scores in left.values()) == 3

    resumed = []
    monkeypatch.setattr(Store, "put_scores", lambda self, *a: (resumed.append((a[0], a[1].id)), put(self, *a)))
    score(broken)
    torch.set_num_threads(threads)
    methods = {key: method for method, key in broken.keys.items()}
    again = {(methods[key], case) for key, case in resumed}
    assert len(resumed) == len(again) == 5 and not again & {place for place, scores in left.items() if scores}
    assert _scores(broken) == _scores(whole)


def test_what_is_kept_does_not_grow_with_the_number_of_pictures(
    benchmark_root: Path, tmp_path: Path, stack: Stack, monkeypatch: pytest.MonkeyPatch
):
    """Features of a few cases are held, and forgotten with the next few."""
    monkeypatch.setattr(case_features, "TOGETHER", 2)
    kept: list[tuple[list[str], int]] = []
    compute = METRICS["coherence_scene"].compute

    def watched(batch: Batch) -> Tensor:
        values = compute(batch)
        cases = [case.id for case in batch.shared.cases]
        kept.append((cases, sum(rows.numel() for rows in batch.shared.kept.values())))
        return values

    run = _run(benchmark_root, tmp_path, stack, "metrics=[coherence_scene]")
    run.metrics["coherence_scene"] = replace(run.metrics["coherence_scene"], compute=watched)
    score(run)
    ids = [case.id for case in run.cases]
    assert [cases for cases, _ in kept] == [ids[:2]] * 6 + [ids[2:]] * 6  # two at a time of two cases' twelve pictures
    assert len({size for _, size in kept}) == 1
