"""The embedded benchmark is rendered case by case, as runs ask for them, by any number of processes at once."""

from concurrent.futures import ProcessPoolExecutor
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spin_bench.core.errors import UserError
from spin_bench.core.identity import canonical
from spin_bench.datasets.benchmarks import DatasetConfig, entries, validate_hint

ROOT = "mini-benchmark-1"
# SHA-256 over the first three real cases and the first sketch, as they were when all 332 were rendered at once.
RELEASED = "a0a6f6612a75f6264896808f9443b4df05f627e4049a0eda4bd2ba5df75054e6"


class Watched:
    """How much was announced and done, rendering by rendering."""

    def __init__(self) -> None:
        self.counts: list[tuple[int, int]] = []

    def __call__(self, done, total: int, label: str) -> None:
        self.counts.append((list(done)[-1], total))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPIN_BENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _ids(limit: int, domains: str = "real", watch=None, **config) -> list[str]:
    usable, unusable = entries(DatasetConfig("mini", domains=domains, **config), watch or Watched(), limit=limit)
    assert not unusable
    return [entry.id for entry in usable]


def _folders(cache: Path) -> list[str]:
    return sorted(folder.name[:4] for folder in (cache / ROOT).glob("*/*"))


def _digest(cache: Path) -> str:
    """Of the names of all files, and of what those hold that no library may compress in another way."""
    state = sha256()
    for path in sorted(path for path in (cache / ROOT).rglob("*") if path.is_file()):
        state.update(str(path.relative_to(cache)).encode())
        if path.suffix == ".png":
            state.update(np.asarray(Image.open(path)).tobytes())
        elif path.suffix == ".json":
            state.update(path.read_bytes())
    return state.hexdigest()


def test_a_run_renders_the_cases_it_asks_for_and_no_case_twice(cache: Path):
    watch = Watched()
    assert _ids(1, watch=watch) == ["real-0001"] and _folders(cache) == ["0001"]
    before = (cache / ROOT).stat().st_mtime_ns, _digest(cache)
    assert _ids(1, watch=watch) == ["real-0001"]
    assert before == ((cache / ROOT).stat().st_mtime_ns, _digest(cache))
    assert _ids(3, watch=watch) == ["real-0001", "real-0002", "real-0003"]
    assert _ids(2, "sketch", watch=watch) == ["sketch-0000", "sketch-0001"]
    assert watch.counts == [(1, 1), (2, 2), (2, 2)]  # what was there is not announced
    assert _ids(2) == ["real-0001", "real-0002"] and len(_folders(cache)) == 5


def test_the_bytes_are_those_of_the_whole_benchmark(cache: Path):
    _ids(3), _ids(1, "sketch")
    assert _digest(cache) == RELEASED


def test_an_unfinished_case_is_no_case(cache: Path):
    (cache / ROOT / "Real-Real" / ".killed" / "0001 a photo").mkdir(parents=True)
    assert _ids(2) == ["real-0001", "real-0002"]


def test_several_processes_render_at_once(cache: Path):
    with ProcessPoolExecutor(3, get_context("fork")) as pool:
        ids = [job.result() for job in [pool.submit(_ids, 4) for _ in range(3)]]
    assert ids == [[f"real-{n:04d}" for n in range(1, 5)]] * 3
    assert len(list((cache / ROOT / "Real-Real").iterdir())) == 4  # and nothing unfinished
    assert all(len(list(folder.iterdir())) == 7 for folder in (cache / ROOT).glob("*/*"))


def test_a_folder_of_one_s_own_is_never_rendered_into(tmp_path: Path):
    with pytest.raises(UserError, match="no such folder"):
        _ids(1, root=str(tmp_path / "mine"))
    assert not (tmp_path / "mine").exists()


def test_there_are_two_versions(cache: Path):
    assert _ids(1, version=2) == ["real-0001"]
    assert not (cache / ROOT).exists() and (cache / "mini-benchmark-2").is_dir()
    with pytest.raises(UserError, match=r"dataset\.version=3: the embedded benchmark has versions 1 and 2"):
        _ids(1, version=3)


def test_results_and_hints_say_the_version():
    first, second = DatasetConfig("mini"), DatasetConfig("mini", version=2)
    assert (first.label, second.label) == ("mini", "mini-2")
    assert validate_hint(first) == "spin-bench validate dataset=mini"
    assert validate_hint(second) == "spin-bench validate dataset=mini dataset.version=2"
    assert "version" not in canonical(first) and '"version":2' in canonical(second)  # old provenances stay as they are
