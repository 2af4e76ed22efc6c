"""`store verify` says everything that is damaged or gone, and each thing once."""

import shutil
from pathlib import Path

import pytest

from spin_bench.core.case import Case
from spin_bench.store import Record, Store
from spin_bench.store.upkeep import problems


@pytest.fixture
def key(tmp_path: Path, cases: list[Case]) -> str:
    """A run key of two cases with three pictures each, written by two processes."""
    for case in cases[:2]:
        store = Store(tmp_path)
        key = store.name({"method": "spin", "seed": 0})
        pictures = [case.background, case.reference, case.truth]
        for k, picture in enumerate(pictures):
            store.put(case, picture, Record(key, "spin", case.id, case.domain, k, 7, 0.5, None, {}))
    assert list(problems(tmp_path, key)) == []
    return key


def _folders(root: Path, key: str) -> list[Path]:
    return sorted(path for path in (root / key).iterdir() if path.is_dir() and path.name.startswith("real"))


def test_pictures_that_are_gone_are_a_line_a_case(tmp_path: Path, key: str):
    first, second = _folders(tmp_path, key)
    next(first.glob("1-*.png")).unlink()
    shutil.rmtree(second)
    assert list(problems(tmp_path, key)) == [f"{first}: gone: image 1", f"{second}: gone: images 0, 1, 2"]


def test_shards_that_are_gone_are_one_line(tmp_path: Path, key: str):
    shard, other = sorted((tmp_path / key / "shards").iterdir())
    shard.unlink()
    (line,) = problems(tmp_path, key)
    assert "3 pictures that no shard tells of" in line
    other.unlink()
    (line,) = problems(tmp_path, key)
    assert "6 pictures that no shard tells of" in line
    shutil.rmtree(tmp_path / key / "shards")
    (line,) = problems(tmp_path, key)
    assert "6 pictures that no shard tells of" in line


def test_each_thing_is_said_once(tmp_path: Path, key: str, caplog: pytest.LogCaptureFixture):
    first, second = _folders(tmp_path, key)
    next(first.glob("0-*.png")).write_bytes(b"cut")
    next(second.glob("2-*.png")).unlink()
    shard = min((tmp_path / key / "shards").iterdir())
    shard.write_bytes(shard.read_bytes() + b'{"entry":')
    (tmp_path / key / "settings.json").write_text('{"method":"other"}')
    caplog.clear()
    lines = list(problems(tmp_path, key))
    assert sorted(line.split(": ")[1] for line in lines) == [
        "altered since it was written, will be painted again",
        "altered, it is not what the key " + key + " stands for",
        "gone",
        "its last line is torn and ignored, what it said will be done again",
    ]
    assert caplog.text == ""
