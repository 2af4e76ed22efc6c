"""An image depends on its case, its seed and the settings: not on the order of cases, nor on how many are painted."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from spin_bench.config.compose import compose
from spin_bench.config.settings import run_settings
from spin_bench.methods.registry import methods
from spin_bench.metrics.registry import METRICS
from spin_bench.models.stack import Stack
from spin_bench.run.painting import generate
from spin_bench.run.plan import plan
from spin_bench.run.prepare import Run, prepare


def _run(root: Path, results: Path, stack: Stack, *more: str) -> Run:
    quick = ["methods=[spin,sd_inpaint]", "steps=2", "settings.spin.embedding.iterations=2", "samples=3"]
    words = [*quick, f"dataset.root={root}", f"results_dir={results}", "metrics=[psnr_bg]", "batch_size=3", *more]
    return prepare(run_settings(compose(words), methods(), METRICS), stack, methods(), METRICS, Console(quiet=True))


def _painted(run: Run, turn: slice = slice(None)) -> dict[tuple[str, str, int], np.ndarray]:
    """(method, case, k) -> pixels, of the jobs in an order."""
    generate(run, plan(run)[turn])
    found = {}
    for method, key in run.keys.items():
        for case in run.cases:
            for k in range(run.samples(method)):
                found[method, case.id, k] = np.asarray(run.store.get(key, case, k)[0], float)
    return found


@pytest.fixture(scope="module")
def canonical(benchmark_root: Path, tmp_path_factory: pytest.TempPathFactory, stack: Stack):
    return _painted(_run(benchmark_root, tmp_path_factory.mktemp("canonical"), stack))


def _same(a: dict, b: dict, items: Sequence) -> bool:
    return all(np.array_equal(a[item], b[item]) for item in items)


def test_the_order_of_jobs_changes_no_bit(benchmark_root: Path, tmp_path: Path, stack: Stack, canonical: dict):
    turned = _painted(_run(benchmark_root, tmp_path, stack), slice(None, None, -1))
    assert _same(turned, canonical, list(canonical))


def test_the_order_of_cases_changes_no_bit(benchmark_root: Path, tmp_path: Path, stack: Stack, canonical: dict):
    run = _run(benchmark_root, tmp_path, stack, "methods=[sd_inpaint]")
    turned = _painted(replace(run, cases=run.cases[::-1]))
    assert len(turned) == 9
    assert _same(turned, canonical, list(turned))


@pytest.mark.parametrize("size", [1, 2])
def test_another_batch_size_changes_less_than_a_pixel_shows(
    benchmark_root: Path, tmp_path: Path, stack: Stack, canonical: dict, size: int
):
    other = _painted(_run(benchmark_root, tmp_path, stack, f"batch_size={size}"))
    assert other.keys() == canonical.keys()
    for item, picture in canonical.items():
        difference = np.abs(other[item] - picture) / 255
        assert difference.max() <= 1 / 255 + 1e-9, item  # one level, where rounding falls the other way
        assert difference.mean() < 1e-4, item
