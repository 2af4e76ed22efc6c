"""What is written is what is read, and what was damaged does not exist."""

import json
from pathlib import Path

import pytest
from PIL import Image

from spin_bench.case import Case
from spin_bench.errors import UserError
from spin_bench.files import write_whole
from spin_bench.store import Record, Store


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


@pytest.mark.parametrize("name", ["0.png", "0.json"])
@pytest.mark.parametrize("damage", [lambda b: b[:-9], lambda b: b[:40] + bytes([b[40] ^ 1]) + b[41:], lambda b: b""])
def test_damage_is_noticed(tmp_path: Path, cases: list[Case], name: str, damage):
    store, case = Store(tmp_path), cases[0]
    store.put(case, case.background, _record(case, 0))
    path = store.case_folder("key", case) / name
    path.write_bytes(damage(path.read_bytes()))
    found = store.get("key", case, 0)
    if found is not None:  # a bit flipped in the record's text outside the digest leaves the picture good
        assert name == "0.json"
        assert found[0].tobytes() == case.background.tobytes()


def test_scores_add_up(tmp_path: Path, cases: list[Case]):
    store, case = Store(tmp_path), cases[0]
    store.put_scores("key", case, {"a": {0: 0.25, 1: None}})
    store.put_scores("key", case, {"a": {2: 0.5}, "b": {0: 1.0}})
    assert store.scores("key", case) == {"a": {0: 0.25, 1: None, 2: 0.5}, "b": {0: 1.0}}
    (store.case_folder("key", case) / "scores.json").write_text('{"a": {"0"')
    assert store.scores("key", case) == {}


@pytest.mark.parametrize("content", ['{"format": 99}', "{}", "not json"])
def test_a_folder_of_another_version_is_refused(tmp_path: Path, content: str):
    (tmp_path / "format.json").write_text(content)
    with pytest.raises(UserError, match="choose another results_dir"):
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
    text = (store.case_folder("key", case) / "0.json").read_text()
    assert json.loads(text)["method"] == "spin"
