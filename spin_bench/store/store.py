"""Pictures and scores by run key, case and image number."""

import io
import logging
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from spin_bench.core.case import Case
from spin_bench.core.files import write_whole
from spin_bench.core.identity import canonical, run_key, sha256_of
from spin_bench.store.entries import failure_entry, picture_entry, scores_entry
from spin_bench.store.format import STORE, claim, is_marked
from spin_bench.store.index import SHARDS, Index, Stored, picture_name
from spin_bench.store.records import Failure, Record
from spin_bench.store.shards import ShardWriter
from spin_bench.store.uses import RunUnderWay, under_way

log = logging.getLogger(__name__)

SETTINGS, SOURCE = "settings.json", "source.json"


def folder_name(case: Case) -> str:
    """Of the case's pictures; a case of another content has another one."""
    return f"{case.id}-{case.digest[:16]}"


class Store:
    """A folder of results. What other processes write is seen after `refresh`, what this one writes at once.

    `UserError` where `root` is somebody else's folder, or another version's. The first picture or score, not the
    constructor, makes the folder.
    """

    def __init__(self, root: Path):
        self.root = root
        is_marked(root, STORE)
        self.identities: dict[str, Any] = {}  # run key -> what it stands for
        self.sources: dict[str, str] = {}  # run key -> digest of the code that makes its results
        self._begun: set[str] = set()  # run keys that this process has written to
        self._indices: dict[str, Index] = {}
        self._shards: dict[str, ShardWriter] = {}
        self._under_way: RunUnderWay | None = None

    def name(self, identity: Any, *, source: str = "") -> str:
        """The run key of `identity`, which is written down with the first result under that key.

        So is the digest of the code that makes the results, `source`, beside the identity and no part of the key.
        """
        key = run_key(identity)
        self.identities[key], self.sources[key] = identity, source
        return key

    @contextmanager
    def in_use(self, run_keys: Collection[str]) -> Iterator[None]:
        """Within, `store gc` leaves these run keys alone, whoever calls it."""
        claim(self.root, STORE)
        for key in run_keys:
            self._begin(key)
        with under_way(self.root, run_keys) as run:
            self._under_way = run
            try:
                yield
            finally:
                self._under_way = None

    def index(self, run_key: str) -> Index:
        """What is known of a run key, read once."""
        if run_key not in self._indices:
            self._indices[run_key] = Index(self.root / run_key)
            self._indices[run_key].refresh()
        return self._indices[run_key]

    def refresh(self, run_keys: Collection[str] | None = None) -> bool:
        """See what other processes have written, of `run_keys` or of all that are in use; True where they have."""
        known = [self.index(key) for key in run_keys] if run_keys is not None else list(self._indices.values())
        return sum(index.refresh() for index in known) > 0  # every one of them, not the first alone

    def check_writable(self) -> None:
        """OSError where nothing can be written here: better now than after the first batch."""
        claim(self.root, STORE)
        path = self.root / ".writable"
        write_whole(path, b"")
        path.unlink(missing_ok=True)

    def case_folder(self, run_key: str, case: Case) -> Path:
        return self.root / run_key / folder_name(case)

    def _begin(self, run_key: str) -> None:
        """Before this process's first result under a run key: what the key stands for."""
        if run_key in self._begun:
            return
        claim(self.root, STORE)
        path = self.root / run_key / SETTINGS
        if run_key in self.identities and not path.exists():
            write_whole(path, canonical(self.identities[run_key]).encode())
        path = self.root / run_key / SOURCE
        if self.sources.get(run_key) and not path.exists():
            write_whole(path, canonical({"source": self.sources[run_key]}).encode())
        self._begun.add(run_key)

    def put(self, case: Case, picture: Image.Image, record: Record) -> None:
        self.put_all(case, [(picture, record)])

    def put_all(self, case: Case, painted: Sequence[tuple[Image.Image, Record]]) -> None:
        """Keep pictures of one case and run key: first their files, then what is known of them, in one write."""
        entries = []
        for picture, record in painted:
            buffer = io.BytesIO()
            picture.save(buffer, format="PNG")
            record = replace(record, sha256=sha256_of(buffer.getvalue()))
            self._begin(record.run_key)
            path = self.case_folder(record.run_key, case) / picture_name(record)
            write_whole(path, buffer.getvalue())
            entries.append(picture_entry(folder_name(case), path, record, time.time()))
        if painted:
            self._append(painted[0][1].run_key, entries)

    def put_failure(self, run_key: str, case: Case, failure: Failure) -> None:
        self._append(run_key, [failure_entry(folder_name(case), failure, time.time())])

    def failure(self, run_key: str, case: Case, k: int) -> Failure | None:
        """Why the last try at this picture failed; None where it did not, or was never made."""
        index, item = self.index(run_key), (folder_name(case), k)
        return None if index.picture(*item) or item not in index.failures else index.failures[item][1]

    def stored(self, run_key: str, case: Case, k: int) -> Stored | None:
        """Where the picture is, and its record; the content is not compared."""
        return self.index(run_key).picture(folder_name(case), k)

    def record(self, run_key: str, case: Case, k: int) -> Record | None:
        """The picture's record alone, its content not compared."""
        stored = self.stored(run_key, case, k)
        return stored.record if stored else None

    def records(self, run_key: str, case: Case, samples: int) -> dict[int, Record]:
        """Records by image number, of those that are there."""
        return {k: record for k in range(samples) if (record := self.record(run_key, case, k)) is not None}

    def get(self, run_key: str, case: Case, k: int) -> tuple[Image.Image, Record] | None:
        """The picture and its record, or None where either is missing or the picture is not what was written."""
        while stored := self.stored(run_key, case, k):
            try:
                content = stored.path.read_bytes()
            except FileNotFoundError:
                content = b""
            if sha256_of(content) == stored.record.sha256:
                return Image.open(io.BytesIO(content)).convert("RGB"), stored.record
            log.warning("%s: altered since it was written, will be painted again", stored.path)
            self.index(run_key).drop(folder_name(case), stored)
        return None

    def scores(self, run_key: str, case: Case) -> dict[str, dict[int, float | None]]:
        """Metric key -> k -> value, None for a missing value; of the pictures that are there now."""
        return self.index(run_key).valid_scores(folder_name(case))

    def put_scores(
        self,
        run_key: str,
        case: Case,
        scores: dict[str, dict[int, float | None]],
        *,
        of: Sequence[int] | None = None,
    ) -> None:
        """Add to what is there; a value that is there stays.

        A value counts as long as its picture is the one that it was computed from; with `of`, as long as all of those
        are.
        """
        ks = {k for values in scores.values() for k in values} if of is None else of
        pictures = {k: self.index(run_key).sha256(folder_name(case), k) for k in ks}
        entry = scores_entry(folder_name(case), scores, pictures, time.time(), whole=of is not None)
        self._append(run_key, [entry])

    def _append(self, run_key: str, entries: Sequence[Any]) -> None:
        self._begin(run_key)
        if self._under_way:
            self._under_way.touch()
        index = self.index(run_key)
        shard = self._shards.setdefault(run_key, ShardWriter(self.root / run_key / SHARDS))
        shard.append(entries)
        assert shard.path is not None
        index.skip(shard.path, shard.size)
        index.add(entries)
