"""Bring a store of format 1 over: it had a JSON file beside each picture, and one with the scores of a case."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spin_bench.core.errors import UserError
from spin_bench.core.files import link_whole, write_whole
from spin_bench.core.identity import canonical
from spin_bench.store.entries import failure_entry, picture_entry, scores_entry
from spin_bench.store.format import MARKER, STORE_FORMAT, found_format
from spin_bench.store.index import SHARDS, digest_of, picture_name
from spin_bench.store.records import Failure, Record
from spin_bench.store.shards import Shard
from spin_bench.store.store import SETTINGS


def migrate(root: Path) -> int:
    """Rewrite the store at `root` in today's format; return how many pictures came over.

    Nothing is removed before all is written, so it may be killed and started again. `UserError` where the folder is
    not of format 1.
    """
    if found_format(root) != 1:
        raise UserError(f"{root}: of format {found_format(root)}; only format 1 can be migrated: see store_dir")
    keys = sorted(path.parent for path in root.glob(f"*/{SETTINGS}"))
    moved, old = 0, []
    for key in keys:
        for case in sorted(path for path in key.iterdir() if path.is_dir() and path.name != SHARDS):
            entries = list(_entries(case))
            if entries:
                Shard(key / SHARDS).append(entries)
            moved += sum(entry["kind"] == "picture" for entry in entries)
            old += [path for path in case.iterdir() if path.stem.isdigit() or path.suffix == ".json"]
    write_whole(root / MARKER, canonical({"format": STORE_FORMAT}).encode())
    for path in old:
        path.unlink()
    return moved


def _entries(case: Path) -> Iterator[dict[str, Any]]:
    pictures: dict[int, str] = {}
    for path in sorted(case.glob("[0-9]*.png")):
        told = path.with_suffix(".json")
        if not path.stem.isdigit() or not told.exists():
            continue
        record = Record(**json.loads(told.read_text()))
        if digest_of(path) != record.sha256:
            continue  # it would have been painted again
        target = case / picture_name(record)
        link_whole(path, target)
        pictures[record.k] = record.sha256
        yield picture_entry(case.name, target, record, path.stat().st_mtime)
    for path in sorted(case.glob("*.failure.json")):
        yield failure_entry(case.name, Failure(**json.loads(path.read_text())), path.stat().st_mtime)
    scores = case / "scores.json"
    if scores.exists():
        values = {metric: {int(k): v for k, v in by.items()} for metric, by in json.loads(scores.read_text()).items()}
        known = {m: {k: v for k, v in by_image.items() if k in pictures} for m, by_image in values.items()}
        yield scores_entry(case.name, known, pictures, scores.stat().st_mtime, whole=False)
