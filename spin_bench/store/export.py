"""A sound copy of part of a store, itself a store: to publish, to move, or to merge by copying it over another."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spin_bench.core.files import write_whole
from spin_bench.core.identity import sha256_of
from spin_bench.store.entries import failure_entry, picture_entry, scores_entry
from spin_bench.store.format import STORE, claim
from spin_bench.store.index import SHARDS, Index
from spin_bench.store.shards import ShardWriter
from spin_bench.store.store import SETTINGS
from spin_bench.store.upkeep import read_index


def export(root: Path, key: str, target: Path) -> int:
    """Copy what is sound of a run key into the store at `target`, its lines in one shard; return how many pictures."""
    claim(target, STORE)
    index = read_index(root, key)
    if (root / key / SETTINGS).exists():
        write_whole(target / key / SETTINGS, (root / key / SETTINGS).read_bytes())
    pictures = list(_copied(index, target / key))
    entries = [*pictures, *_failures(index), *_scores(index)]
    if entries:
        ShardWriter(target / key / SHARDS).append(entries)
    return len(pictures)


def _copied(index: Index, target: Path) -> Iterator[dict[str, Any]]:
    for (case, _), candidates in sorted(index.pictures.items()):
        for stored in candidates:
            content = _content(stored.path)
            if sha256_of(content) != stored.record.sha256:
                continue
            path = target / case / stored.path.name
            write_whole(path, content)
            yield picture_entry(case, path, stored.record, stored.time)


def _content(path: Path) -> bytes:
    """Of a file, empty where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _failures(index: Index) -> Iterator[dict[str, Any]]:
    for (case, _), (when, failure) in sorted(index.failures.items(), key=lambda item: item[0]):
        yield failure_entry(case, failure, when)


def _scores(index: Index) -> Iterator[dict[str, Any]]:
    for case, metrics in sorted(index.scores.items()):
        for metric, values in sorted(metrics.items()):
            for k, scores in sorted(values.items()):
                for score in scores:
                    yield scores_entry(case, {metric: {k: score.value}}, score.of, score.time, whole=True)
