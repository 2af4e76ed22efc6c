"""What a store holds, whether it is sound, and what in it nobody needs."""

import json
import re
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import Any

from spin_bench.core.files import is_unfinished
from spin_bench.core.identity import leaves, sha256_of
from spin_bench.store.index import SHARDS, Index, digest_of
from spin_bench.store.store import SETTINGS
from spin_bench.store.uses import USES, YOUNG, is_running, needed, unknown_use

PICTURE = re.compile(r"[0-9]+-[0-9a-f]{16}\.png")  # see `spin_bench.store.index.picture_name`
OWN_FOLDERS = ("artefacts",)  # of the store, beside those of run keys


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
    keys = [path.name for path in root.iterdir() if (path / SETTINGS).exists() or (path / SHARDS).exists()]
    return sorted(key for key in keys if key.startswith(prefix))


def read_index(root: Path, key: str, tell: Callable[[str], None] = lambda problem: None) -> Index:
    """What the shards of a run key say; `tell` hears of problems, one line each."""
    index = Index(root / key, tell)
    index.refresh()
    return index


def holding(root: Path, key: str) -> Holding:
    """Count what there is of a run key."""
    index = read_index(root, key)
    try:
        identity = dict(json.loads((root / key / SETTINGS).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
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
    differences: dict[str, dict[str, Any]] = {}
    for keys in by_method.values():
        names = sorted({name for settings in keys.values() for name in settings})
        differing = [name for name in names if len({repr(settings.get(name)) for settings in keys.values()}) > 1]
        for key, settings in keys.items():
            differences[key] = {name: settings.get(name) for name in differing}
    return differences


def problems(root: Path, key: str) -> Iterator[str]:
    """Say everything that is damaged or gone of a run key, each thing once.

    Damaged pictures are removed: the next run paints them.
    """
    lines: list[str] = []
    index = read_index(root, key, lines.append)
    yield from dict.fromkeys(lines)
    if (settings := root / key / SETTINGS).exists() and sha256_of(settings.read_bytes())[:32] != key:
        yield f"{settings}: altered, it is not what the key {key} stands for"
    yield from _gone(index)
    yield from _untold(index)
    for (case, _), candidates in sorted(index.pictures.items()):
        for stored in list(candidates):
            if digest_of(stored.path) != stored.record.sha256:
                index.drop(case, stored)
                yield f"{stored.path}: altered since it was written, removed"


def _gone(index: Index) -> Iterator[str]:
    """A line for every case of which pictures were recorded and are not there."""
    gone: dict[str, set[int]] = defaultdict(set)
    for (case, name), k in index.told.items():
        if index.picture(case, k) is None and not (index.folder / case / name).exists():
            gone[case].add(k)
    for case, ks in sorted(gone.items()):
        yield f"{index.folder / case}: gone: image{'s' * (len(ks) > 1)} {', '.join(map(str, sorted(ks)))}"


def _untold(index: Index) -> Iterator[str]:
    """A line if there are pictures that no shard tells of; a run under way may be about to."""
    names = [path for path in _case_files(index.folder) if PICTURE.fullmatch(path.name)]
    untold = [path for path in sorted(names) if (path.parent.name, path.name) not in index.told]
    if untold and not is_running(index.folder):
        yield (
            f"{index.folder}: {len(untold)} pictures that no shard tells of, the first {untold[0]}: "
            "a shard is gone, or a run was killed"
        )


def rubbish(root: Path, *, now: float | None = None) -> Iterator[Path]:
    """Files of ours that no reader will ever look at: half-written ones, and pictures that no shard tells of."""
    before = (time.time() if now is None else now) - YOUNG
    candidates = [path for path in root.iterdir() if is_unfinished(path.name)]
    for name in OWN_FOLDERS:
        candidates += [path for path in (root / name).rglob("*") if is_unfinished(path.name)]
    for key in run_keys(root):
        candidates += [path for path in (root / key).rglob("*") if is_unfinished(path.name)]
        told = read_index(root, key).told
        pictures = (path for path in _case_files(root / key) if PICTURE.fullmatch(path.name))
        candidates += [path for path in pictures if (path.parent.name, path.name) not in told]
    yield from (path for path in sorted(candidates) if _file_older_than(path, before))


def _file_older_than(path: Path, before: float) -> bool:
    """Whether `path` is a file of its own, last written before that time; what a run has renamed meanwhile is not."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    return S_ISREG(status.st_mode) and status.st_mtime < before


def _case_files(key: Path) -> Iterator[Path]:
    """Every file in the folders of the cases of a run key."""
    for folder in key.iterdir():
        if folder.is_dir() and not folder.is_symlink() and folder.name not in (SHARDS, USES):
            yield from folder.iterdir()


def unused(root: Path, keys: Collection[str], in_results: Collection[str], *, named: bool) -> Iterator[tuple[str, str]]:
    """Every run key of `keys` that is in none of `in_results`, and why it stays; "" if nobody needs it.

    A key of which no use was ever recorded goes only if the person `named` it.
    """
    for key in keys:
        if key in in_results:
            continue
        why = needed(root / key, in_results)
        if not why and not named and unknown_use(root / key):
            why = "who needs it was never recorded: an earlier version painted it, or it was copied here"
        yield key, why


def remove(root: Path, key: str) -> None:
    """Remove a run key and everything under it."""
    folder = root / key
    if folder.is_symlink():
        folder.unlink()
    else:
        shutil.rmtree(folder)
