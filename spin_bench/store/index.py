"""What the shards of one run key say, and how much of it the disk bears out."""

import logging
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spin_bench.core.identity import sha256_of_file
from spin_bench.store.entries import check_case, check_digest, check_number
from spin_bench.store.records import Failure, Record
from spin_bench.store.shards import SUFFIX, read_new

log = logging.getLogger(__name__)

SHARDS = "shards"
Item = tuple[str, int]  # folder of a case, image number
Listing = dict[str, tuple[int, int]]  # file name -> size, mtime in ns


@dataclass(frozen=True)
class Stored:
    """A picture that is there."""

    record: Record
    path: Path
    time: float  # when it was recorded


@dataclass(frozen=True)
class Score:
    """One value, and the pictures it was computed from: image number -> SHA-256."""

    value: float | None
    of: dict[int, str]
    time: float


def picture_name(record: Record) -> str:
    """`<k>-<the first 16 digits of its SHA-256>.png`."""
    return f"{record.k}-{record.sha256[:16]}.png"


class Index:
    """Pictures, failures and scores of one run key. The earliest of two pictures or scores counts: what is there stays.

    A picture's size and time are compared with what was recorded, and only where the time differs its content, so that
    planning opens no file; whoever reads a picture compares its digest. An entry that could lead out of the key's
    folder is not believed: a store may have come from anywhere.
    """

    def __init__(self, folder: Path, tell: Callable[[str], None] = log.warning):
        self.folder = folder
        self.pictures: dict[Item, list[Stored]] = {}
        self.failures: dict[Item, tuple[float, Failure]] = {}
        self.scores: dict[str, dict[str, dict[int, list[Score]]]] = {}  # case's folder -> metric key -> k
        self.told: dict[tuple[str, str], int] = {}  # case's folder, file name -> k of every picture that was recorded
        self._tell = tell  # hears of every problem, one line each
        self._read: dict[str, tuple[int, int]] = {}  # shard -> bytes of it that are known, its size then

    def refresh(self) -> bool:
        """Read what was appended since the last time; True where another process said something."""
        entries: list[Any] = []
        for path in sorted(self._shards()):
            known, size = self._read.get(path.name, (0, 0))
            if (now := path.stat().st_size) != size:
                appended, known, problems = read_new(path, known)
                self._read[path.name] = known, now
                entries += appended
                for problem in problems:
                    self._tell(problem)
        self.add(entries)
        return bool(entries)

    def skip(self, shard: Path, size: int) -> None:
        """The first `size` bytes of a shard are known, being this process's own."""
        self._read[shard.name] = size, size

    def _shards(self) -> Iterable[Path]:
        try:
            return [path for path in (self.folder / SHARDS).iterdir() if path.suffix == SUFFIX]
        except FileNotFoundError:
            return []

    def add(self, entries: Iterable[Any]) -> None:
        """Take in the entries of shards; one of a form that is not ours is left out, and said."""
        kinds = {"picture": self._add_picture, "failure": self._add_failure, "scores": self._add_scores}
        listings: dict[str, Listing] = {}
        for entry in entries:
            try:
                check_case(entry["case"])
                kinds[entry["kind"]](entry, listings)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                self._tell(f"{self.folder}: an entry that this version cannot read is ignored ({error!r})")

    def _add_picture(self, entry: dict[str, Any], listings: dict[str, Listing]) -> None:
        record, case = Record(**entry["record"]), entry["case"]
        check_number(record.k)
        check_digest(record.sha256)
        if record.run_key != self.folder.name:
            raise ValueError(f"a picture of run key {record.run_key!r}")
        if case not in listings:
            listings[case] = _listing(self.folder / case)
        path = self.folder / case / picture_name(record)
        self.told[case, path.name] = record.k
        if path.name not in listings[case]:
            return
        size, mtime = listings[case][path.name]
        if size != entry["size"] or (mtime != entry["mtime_ns"] and digest_of(path) != record.sha256):
            self._tell(f"{path}: altered since it was written, will be painted again")
            return
        known = [stored for stored in self.pictures.get((case, record.k), []) if stored.path != path]
        self.pictures[case, record.k] = sorted([*known, Stored(record, path, entry["time"])], key=lambda s: s.time)

    def _add_failure(self, entry: dict[str, Any], _: dict[str, Listing]) -> None:
        failure, time = Failure(**entry["failure"]), float(entry["time"])
        check_number(failure.k)
        item = entry["case"], failure.k
        if item not in self.failures or self.failures[item][0] <= time:
            self.failures[item] = time, failure

    def _add_scores(self, entry: dict[str, Any], _: dict[str, Listing]) -> None:
        of = {int(k): sha256 for k, sha256 in entry["of"].items()}
        for metric, values in entry["scores"].items():
            for k, value in values.items():
                needed = of if entry["whole"] else {int(k): of[int(k)]}
                score = Score(value, needed, float(entry["time"]))
                known = self.scores.setdefault(entry["case"], {}).setdefault(metric, {}).setdefault(int(k), [])
                known.append(score)
                known.sort(key=lambda s: s.time)

    def picture(self, case: str, k: int) -> Stored | None:
        """The picture that counts; None if there is none."""
        return next(iter(self.pictures.get((case, k), [])), None)

    def drop(self, case: str, stored: Stored) -> None:
        """Forget a picture that turned out to be damaged, and remove it, so that no run takes it for good."""
        self.pictures[case, stored.record.k].remove(stored)
        if stored.path.parent.is_symlink():
            return  # what lies behind it is not the store's to remove
        try:
            stored.path.unlink(missing_ok=True)
        except OSError:
            log.warning("%s: damaged, and cannot be removed", stored.path)

    def valid_scores(self, case: str) -> dict[str, dict[int, float | None]]:
        """Metric key -> k -> value, of the pictures that are there now."""
        valid: dict[str, dict[int, float | None]] = {}
        for metric, by_image in self.scores.get(case, {}).items():
            for k, scores in by_image.items():
                for score in scores:
                    if all(self.sha256(case, other) == sha256 for other, sha256 in score.of.items()):
                        valid.setdefault(metric, {})[k] = score.value
                        break
        return valid

    def sha256(self, case: str, k: int) -> str:
        """Of the picture, or "" where there is none."""
        stored = self.picture(case, k)
        return stored.record.sha256 if stored else ""


def digest_of(path: Path) -> str:
    """SHA-256 of a file, "" where it cannot be read."""
    try:
        return sha256_of_file(path)
    except OSError:
        return ""


def _listing(folder: Path) -> Listing:
    try:
        with os.scandir(folder) as files:
            return {file.name: ((stat := file.stat()).st_size, stat.st_mtime_ns) for file in files}
    except (FileNotFoundError, NotADirectoryError):
        return {}
