"""What is left of twenty thousand images is known in two seconds, and a run over more cases needs no more memory."""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from fake_runs import fake_run

from spin_bench.methods.baselines.blended_diffusion import BlendedDiffusionSettings
from spin_bench.methods.registry import methods
from spin_bench.models.stack import Stack
from spin_bench.run.plan import plan, unpainted
from spin_bench.store import Record, Store
from spin_bench.store.entries import picture_entry
from spin_bench.store.index import SHARDS, picture_name
from spin_bench.store.shards import ShardWriter
from spin_bench.store.store import folder_name

SAMPLES, CASES = 40, 250


def test_twenty_thousand_images_are_planned_in_two_seconds(benchmark_root: Path, tmp_path: Path, stack: Stack):
    run = fake_run(benchmark_root, tmp_path / "large", stack, f"samples={SAMPLES}", "batch_size=8")
    run.store.check_writable()  # which makes the folder a store
    few = run.cases
    run = replace(run, cases=[replace(few[i % len(few)], id=f"real-{i:04}") for i in range(CASES)])
    for method, key in run.keys.items():
        entries = []
        for case in run.cases[: CASES // 2 if method == "second" else CASES]:
            folder = run.store.case_folder(key, case)
            folder.mkdir(parents=True)
            for k in range(SAMPLES):
                record = Record(key, method, case.id, case.domain, k, k, 0.5, None, {"torch": "2"}, {}, f"{k:064x}")
                path = folder / picture_name(record)
                path.write_bytes(b"a picture")
                entries.append(picture_entry(folder_name(case), path, record, 0.0))
        for part in range(8):  # as eight workers leave it
            ShardWriter(tmp_path / "large" / "store" / key / SHARDS).append(entries[part::8])
    seconds = []
    for _ in range(3):
        fresh = replace(run, store=Store(run.settings.store_dir))
        started = time.process_time()
        jobs = plan(fresh)
        seconds.append(time.process_time() - started)
    assert len(jobs) == CASES // 2 * SAMPLES // 8
    assert unpainted(fresh) == CASES // 2 * SAMPLES
    assert 2 * CASES * SAMPLES == 20_000
    assert min(seconds) <= 2


def test_a_method_may_say_how_many_images_it_paints_at_once(benchmark_root: Path, tmp_path: Path, stack: Stack):
    run = fake_run(benchmark_root, tmp_path / "own", stack, "samples=5", "batch_size=2")
    for own, sizes in ((3, [3, 2]), (8, [5]), (0, [1] * 5)):
        second = replace(run.methods["second"], batch=lambda settings, own=own: own)
        jobs = plan(replace(run, methods={**run.methods, "second": second}))
        assert [len(job.ks) for job in jobs if (job.method, job.case) == ("first", 0)] == [2, 2, 1]
        assert [len(job.ks) for job in jobs if (job.method, job.case) == ("second", 0)] == sizes
    batch = methods()["blended_diffusion"].batch
    assert batch is not None
    assert batch(BlendedDiffusionSettings(batch=6)) == 6


def _peak_megabytes(root: Path, results: Path, cases: int) -> float:
    """Of a whole run of the command, in a process of its own."""
    words = [f"dataset.root={root}", f"results_dir={results}", "methods=[copy_paste]", "metrics=[psnr_bg]"]
    environ = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "spin_bench", *words, f"limit={cases}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environ)
    _, status, usage = os.wait4(process.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    return usage.ru_maxrss / 1024


@pytest.fixture
def many_cases(benchmark_root: Path, tmp_path: Path) -> Path:
    """128 entries of the real domain: three, again and again."""
    few = sorted((benchmark_root / "Real-Real").iterdir())
    for index in range(128):
        prompt = few[index % len(few)].name.split(" ", 1)[1]
        shutil.copytree(few[index % len(few)], tmp_path / "many" / "Real-Real" / f"{index:04} {prompt}")
    return tmp_path / "many"


def test_memory_is_flat_from_8_to_128_cases(many_cases: Path, tmp_path: Path):
    few, many = (_peak_megabytes(many_cases, tmp_path / f"of{cases}", cases) for cases in (8, 128))
    assert many < 1.1 * few
