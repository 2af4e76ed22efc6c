"""What is written is what is read, and what was damaged does not exist."""

import json
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from spin_bench.core.case import Case
from spin_bench.core.errors import UserError
from spin_bench.core.files import write_whole
from spin_bench.store import Failure, Record, Store
from spin_bench.store.shards import seal, unseal


def _record(case: Case, k: int) -> Record:
    return Record("key", "spin", case.id, case.domain, k, 7, 0.5, None, {"torch": "0"})


def test_a_picture_comes_back_with_its_record(tmp_path: Path, cases: list[Case]):
    store, case = Store(tmp_path), cases[0]
    store.put(case, case.background, _record(case, 2))
    picture, record = store.get("key", case, 2)
    assert picture.tobytes() == case.background.tobytes()
    assert (record.k, record.seed, record.seconds) == (2, 7, 0.5)
    assert store.get("key", case, 1) is None
    assert store.get("other", case, 2) is None


def test_a_case_of_another_content_is_another_case(tmp_path: Path, cases: list[Case]):
    store = Store(tmp_path)
    store.put(cases[0], cases[0].background, _record(cases[0], 0))
    assert store.get("key", cases[1], 0) is None


def _flipped(content: bytes) -> bytes:
    return content[:40] + bytes([content[40] ^ 1]) + content[41:]


DAMAGE = {"cut": lambda content: content[:-9], "flipped": _flipped, "empty": lambda content: b""}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("what", ["*/*.png", "shards/*.jsonl"])
@pytest.mark.parametrize("again", [True, False])
def test_damage_is_noticed(tmp_path: Path, cases: list[Case], what: str, damage: str, again: bool):
    store, case = Store(tmp_path), cases[0]
    store.put(case, case.background, _record(case, 0))
    (path,) = (tmp_path / "key").glob(what)
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    if again or "shards" in what:  # a shard is read once
        store = Store(tmp_path)
        assert store.record("key", case, 0) is None
    assert store.get("key", case, 0) is None
    assert store.record("key", case, 0) is None
    store.put(case, case.background, _record(case, 0))
    for reader in (store, Store(tmp_path)):
        assert reader.get("key", case, 0)[0].tobytes() == case.background.tobytes()


def test_a_flipped_bit_that_left_no_trace_in_the_folder_is_found_when_the_picture_is_read(
    tmp_path: Path, cases: list[Case]
):
    store, case = Store(tmp_path), cases[0]
    store.put(case, case.background, _record(case, 0))
    path = store.stored("key", case, 0).path
    before = path.stat()
    path.write_bytes(_flipped(path.read_bytes()))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    store = Store(tmp_path)
    assert store.record("key", case, 0) is not None
    assert store.get("key", case, 0) is None
    assert Store(tmp_path).record("key", case, 0) is None


def test_a_copied_store_is_as_good(tmp_path: Path, cases: list[Case]):
    store, case = Store(tmp_path / "a"), cases[0]
    store.put(case, case.background, _record(case, 0))
    shutil.copytree(tmp_path / "a", tmp_path / "b", copy_function=shutil.copyfile)  # times are not kept
    assert Store(tmp_path / "b").get("key", case, 0)[0].tobytes() == case.background.tobytes()


def test_scores_add_up(tmp_path: Path, cases: list[Case]):
    store, case = Store(tmp_path), cases[0]
    store.put_scores("key", case, {"a": {0: 0.25, 1: None}})
    store.put_scores("key", case, {"a": {2: 0.5}, "b": {0: 1.0}})
    assert store.scores("key", case) == {"a": {0: 0.25, 1: None, 2: 0.5}, "b": {0: 1.0}}
    store.put_scores("key", case, {"a": {1: 0.75}})
    for reader in (store, Store(tmp_path)):
        assert reader.scores("key", case) == {"a": {0: 0.25, 1: None, 2: 0.5}, "b": {0: 1.0}}  # what is there stays


@pytest.mark.parametrize("content", ['{"format": 99}', "{}", "not json"])
def test_a_folder_of_another_version_is_refused(tmp_path: Path, content: str):
    (tmp_path / "format.json").write_text(content)
    with pytest.raises(UserError, match=r"written in format .* reads 2: choose another store_dir"):
        Store(tmp_path)
    assert (tmp_path / "format.json").read_text() == content


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "file"
    write_whole(path, b"old")

    def full_disk(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_records_are_json_that_a_person_can_read(tmp_path: Path, cases: list[Case]):
    store, case = Store(tmp_path), cases[0]
    store.put(case, Image.new("RGB", (4, 4)), _record(case, 0))
    (shard,) = (tmp_path / "key" / "shards").iterdir()
    assert json.loads(shard.read_text())["entry"]["record"]["method"] == "spin"


def test_a_score_counts_for_the_picture_that_it_was_computed_from(tmp_path: Path, cases: list[Case]):
    store, case = Store(tmp_path), cases[0]
    for k in (0, 1):
        store.put(case, case.background, _record(case, k))
    store.put_scores("key", case, {"a": {0: 0.25, 1: 0.5}})
    store.put_scores("key", case, {"of both": {0: 0.75}}, of=(0, 1))
    store.stored("key", case, 1).path.unlink()
    store = Store(tmp_path)
    assert store.scores("key", case) == {"a": {0: 0.25}}
    store.put(case, case.reference, _record(case, 1))  # another picture than before
    assert store.scores("key", case) == {"a": {0: 0.25}}
    store.put_scores("key", case, {"a": {1: 0.625}})
    store.put_scores("key", case, {"of both": {0: 1.0}}, of=(0, 1))
    assert Store(tmp_path).scores("key", case) == {"a": {0: 0.25, 1: 0.625}, "of both": {0: 1.0}}


def test_two_writers_lose_nothing_of_each_other(tmp_path: Path, cases: list[Case]):
    ours, theirs, case = Store(tmp_path), Store(tmp_path), cases[0]
    for store in (ours, theirs):
        assert store.records("key", case, 3) == {}
    ours.put(case, case.background, _record(case, 0))
    theirs.put(case, case.background, _record(case, 1))
    theirs.put(case, case.reference, _record(case, 0))  # of a device that rounds otherwise
    ours.put_scores("key", case, {"a": {0: 0.25}})
    assert ours.record("key", case, 1) is None
    assert ours.refresh()
    assert not ours.refresh()
    theirs.refresh()
    for store in (ours, theirs, Store(tmp_path)):
        assert store.get("key", case, 0)[0].tobytes() == case.background.tobytes()  # the first one counts
        assert sorted(store.records("key", case, 3)) == [0, 1]
        assert store.scores("key", case) == {"a": {0: 0.25}}


def test_a_torn_line_is_ignored_and_said(tmp_path: Path, cases: list[Case], caplog: pytest.LogCaptureFixture):
    store, case = Store(tmp_path), cases[0]
    store.put_scores("key", case, {"a": {0: 0.25}})
    store.put_scores("key", case, {"a": {1: 0.5}})
    (shard,) = (tmp_path / "key" / "shards").iterdir()
    whole = shard.read_bytes()
    first = whole.index(b"\n") + 1
    for end in range(first, len(whole)):
        shard.write_bytes(whole[:end])
        assert Store(tmp_path).scores("key", case) == {"a": {0: 0.25}}
    assert f"{shard}: its last line is torn" in caplog.text


def test_no_altered_byte_of_a_line_is_believed():
    line = seal({"value": 0.5})[:-1]
    assert unseal(line) == {"value": 0.5}
    for i in range(len(line)):
        for bit in range(8):
            with pytest.raises(ValueError, match="altered"):
                unseal(line[:i] + bytes([line[i] ^ 1 << bit]) + line[i + 1 :])


def test_what_follows_a_failed_write_is_read(tmp_path: Path, cases: list[Case], monkeypatch: pytest.MonkeyPatch):
    store, case, real = Store(tmp_path), cases[0], os.write
    store.put_scores("key", case, {"a": {0: 0.25}})

    def full_disk(descriptor: int, content: bytes) -> int:
        real(descriptor, content[:20])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("spin_bench.store.shards.os.write", full_disk)
        with pytest.raises(OSError, match="No space"):
            store.put_scores("key", case, {"a": {1: 0.5}})
    store.put_scores("key", case, {"a": {2: 0.75}})
    for reader in (store, Store(tmp_path)):
        assert reader.scores("key", case) == {"a": {0: 0.25, 2: 0.75}}


def test_the_last_failure_counts_until_there_is_a_picture(tmp_path: Path, cases: list[Case]):
    store, case = Store(tmp_path), cases[0]
    for reason in ("first", "second"):
        store.put_failure("key", case, Failure("spin", case.id, 0, reason, "Traceback"))
    assert Store(tmp_path).failure("key", case, 0).reason == "second"
    store.put(case, case.background, _record(case, 0))
    assert Store(tmp_path).failure("key", case, 0) is None
