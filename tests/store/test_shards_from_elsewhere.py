"""A store that came from anywhere: what its shards say leads nowhere out of it, for no command."""

import os
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from spin_bench.core.case import Case
from spin_bench.store import Failure, Record, Store
from spin_bench.store.export import export
from spin_bench.store.shards import seal
from spin_bench.store.store import folder_name
from spin_bench.store.upkeep import problems, read_index

KEY = "0123456789abcdef0123456789abcdef"
DIGEST = "ab" * 32


def _picture(victim: Path, case: Any, **changes: Any) -> dict[str, Any]:
    """An entry that describes `victim` so well that only its digest is wrong."""
    record = replace(Record(KEY, "spin", "real-0001", "real", 0, 7, 0.5, None, {}, {}, DIGEST), **changes)
    at = {"size": victim.stat().st_size, "mtime_ns": victim.stat().st_mtime_ns}
    return {"kind": "picture", "case": case, "time": 1.0, "record": asdict(record), **at}


def _names(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


ENTRIES: dict[str, Callable[[Path, str], dict[str, Any]]] = {
    "a case that climbs": lambda victim, _: _picture(victim, "../../../mine-0"),
    "a case that is a path": lambda victim, _: _picture(victim, str(victim.parent)),
    "a case that is a parent": lambda victim, _: _picture(victim, ".."),
    "a case that is a number": lambda victim, _: _picture(victim, 7),
    "the shards' own folder": lambda victim, _: _picture(victim, "shards"),
    "an image that climbs": lambda victim, case: _picture(victim, case, k="../../../../mine-0/0"),
    "an image that is true": lambda victim, case: _picture(victim, case, k=True),
    "an image below 0": lambda victim, case: _picture(victim, case, k=-1),
    "a digest that climbs": lambda victim, case: _picture(victim, case, sha256="/../../../../mine-0/0"),
    "a digest in capitals": lambda victim, case: _picture(victim, case, sha256=DIGEST.upper()),
    "a digest that is short": lambda victim, case: _picture(victim, case, sha256=DIGEST[:16]),
    "another key": lambda victim, case: _picture(victim, case, run_key="../elsewhere"),
    "a failure that climbs": lambda victim, case: {
        "kind": "failure", "case": case, "time": 1.0, "failure": asdict(Failure("spin", "x", "../0", "", "")),  # type: ignore[arg-type]
    },
}  # fmt: skip


@pytest.mark.parametrize("name", ENTRIES)
def test_what_a_shard_says_leads_nowhere_out_of_the_store(name: str, cases: list[Case], tmp_path: Path):
    root, victim = tmp_path / "store", tmp_path / "mine-0" / f"0-{DIGEST[:16]}.png"
    victim.parent.mkdir()
    victim.write_bytes(b"somebody's only copy")
    Store(root).put(cases[0], cases[0].background, Record(KEY, "spin", cases[0].id, "real", 0, 7, 0.5, None, {}))
    shards = root / KEY / "shards"
    (shards / "from-elsewhere.jsonl").write_bytes(seal(ENTRIES[name](victim, folder_name(cases[0]))))
    before = _names(tmp_path)
    (line,) = problems(root, KEY)
    assert "an entry that this version cannot read is ignored" in line
    assert list(read_index(root, KEY).pictures) == [(folder_name(cases[0]), 0)]
    assert export(root, KEY, tmp_path / "out" / "store") == 1
    after = _names(tmp_path)
    assert before.items() <= after.items()
    assert {name.split("/")[0] for name in after} == {"store", "mine-0", "out"}
    assert all(name.startswith("out/store/") for name in after.keys() - before.keys())


def test_a_case_that_is_a_link_is_not_followed_by_what_removes(cases: list[Case], tmp_path: Path):
    root, away, case = tmp_path / "store", tmp_path / "away", cases[0]
    store = Store(root)
    store.put(case, case.background, Record(KEY, "spin", case.id, "real", 0, 7, 0.5, None, {}))
    folder = store.case_folder(KEY, case)
    folder.rename(away)
    folder.symlink_to(away)
    (picture,) = away.iterdir()
    content = bytearray(picture.read_bytes())
    content[40] ^= 1
    times = picture.stat()
    picture.write_bytes(content)
    os.utime(picture, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert len(list(problems(root, KEY))) == 1
    assert picture.exists()
