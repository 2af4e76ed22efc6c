"""What a store holds, whether it is sound, and what in it nobody needs."""

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spin_bench.core.files import UNFINISHED
from spin_bench.core.identity import leaves
from spin_bench.store.index import SHARDS, Index, digest_of
from spin_bench.store.store import SETTINGS

YOUNG = 3600.0  # seconds; a younger file may belong to a run that is about to record it


@dataclass(frozen=True)
class Holding:
    """One run key of a store."""

    key: str
    identity: dict[str, Any]  # what the key stands for; empty where that is unreadable
    pictures: int
    cases: int
    failures: int
    megabytes: float  # 1e6 bytes, of pictures
    last: float  # seconds since the epoch, of the newest picture; 0 without one


def run_keys(root: Path, prefix: str = "") -> list[str]:
    """The run keys in a store that begin with `prefix`."""
    found = [path.name for path in root.iterdir() if (path / SETTINGS).exists() or (path / SHARDS).exists()]
    return sorted(key for key in found if key.startswith(prefix))


def read_index(root: Path, key: str) -> Index:
    index = Index(root / key)
    index.refresh()
    return index


def holding(root: Path, key: str) -> Holding:
    index = read_index(root, key)
    try:
        identity = json.loads((root / key / SETTINGS).read_text())
    except (OSError, ValueError):
        identity = {}
    there = {item: stored[0] for item, stored in index.pictures.items() if stored}
    return Holding(
        key,
        identity,
        pictures=len(there),
        cases=len({case for case, _ in there}),
        failures=len(index.failures.keys() - there.keys()),
        megabytes=sum(stored.path.stat().st_size for stored in there.values()) / 1e6,
        last=max((stored.time for stored in there.values()), default=0.0),
    )


def telling(holdings: Iterable[Holding]) -> dict[str, dict[str, Any]]:
    """By run key, the settings by which it differs from another key of its method."""
    by_method: dict[str, dict[str, dict[str, Any]]] = {}
    for held in holdings:
        by_method.setdefault(held.identity.get("method", ""), {})[held.key] = leaves(held.identity)
    found: dict[str, dict[str, Any]] = {}
    for keys in by_method.values():
        names = sorted({name for settings in keys.values() for name in settings})
        differing = [name for name in names if len({repr(settings.get(name)) for settings in keys.values()}) > 1]
        for key, settings in keys.items():
            found[key] = {name: settings.get(name) for name in differing}
    return found


def problems(root: Path, key: str) -> Iterator[str]:
    """One line a problem of a run key's pictures and shards. Damaged pictures are removed: the next run paints them."""
    index = read_index(root, key)
    yield from index.problems
    for (case, _), candidates in sorted(index.pictures.items()):
        for stored in list(candidates):
            if digest_of(stored.path) != stored.record.sha256:
                index.drop(case, stored)
                yield f"{stored.path}: altered since it was written, removed"


def rubbish(root: Path, *, now: float | None = None) -> Iterator[Path]:
    """Files that no reader will ever look at: half-written ones, and what lies in a case's folder untold of."""
    before, needed, folders = (time.time() if now is None else now) - YOUNG, set(), set()
    for key in run_keys(root):
        needed |= {stored.path for found in read_index(root, key).pictures.values() for stored in found}
        folders |= {path for path in (root / key).iterdir() if path.is_dir() and path.name != SHARDS}
    for path in sorted(root.rglob("*")):
        unneeded = path.name.endswith(UNFINISHED) or (path.parent in folders and path not in needed)
        if unneeded and path.is_file() and path.stat().st_mtime < before:
            yield path
