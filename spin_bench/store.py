"""Content-addressed results: the only writer of images and scores.

    <root>/format.json
    <root>/<run key>/settings.json                     what the key stands for
    <root>/<run key>/<case>-<digest>/<k>.png           the picture
    <root>/<run key>/<case>-<digest>/<k>.json          its record, written last: a picture without one does not exist
    <root>/<run key>/<case>-<digest>/<k>.failure.json  why there is no picture, until there is one
    <root>/<run key>/<case>-<digest>/scores.json       metric key -> k -> value

Every file appears whole (temporary file, fsync, rename), so a kill loses nothing but the batch in flight.
"""

import hashlib
import io
import json
import logging
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from spin_bench.case import Case
from spin_bench.errors import UserError
from spin_bench.files import write_whole
from spin_bench.identity import canonical, key_of

log = logging.getLogger(__name__)

FORMAT = 1  # of the folder; another one is refused


def check_format(folder: Path) -> None:
    """Mark a new results folder with our format; `UserError` where another version wrote it."""
    marker = folder / "format.json"
    if not marker.exists():
        write_whole(marker, canonical({"format": FORMAT}).encode())
        return
    try:
        found = json.loads(marker.read_text())["format"]
    except (json.JSONDecodeError, KeyError, TypeError):
        found = "unreadable"
    if found != FORMAT:
        raise UserError(f"{folder}: written in format {found}, this version reads {FORMAT}: choose another results_dir")


@dataclass(frozen=True)
class Record:
    """What is known of one picture."""

    run_key: str
    method: str
    case: str
    domain: str
    k: int
    seed: int
    seconds: float  # of the method: its share of the batch, and of work that was done before
    peak_memory_mb: float | None  # of the accelerator; None on CPU
    versions: dict[str, str]
    facts: dict[str, float] = field(default_factory=dict)  # what the method itself says of the picture
    sha256: str = ""  # of the PNG file


@dataclass(frozen=True)
class Failure:
    """Why there is no picture."""

    method: str
    case: str
    k: int
    reason: str  # one line
    traceback: str


class Store:
    """A folder of results; safe to share between runs."""

    def __init__(self, root: Path):
        self.root = root
        check_format(root)

    def case_folder(self, run_key: str, case: Case) -> Path:
        return self.root / run_key / f"{case.id}-{case.digest[:16]}"

    def describe(self, run_key: str, identity: Any) -> None:
        path = self.root / run_key / "settings.json"
        if not path.exists():
            write_whole(path, canonical(identity).encode())

    def put(self, case: Case, picture: Image.Image, record: Record) -> None:
        folder, buffer = self.case_folder(record.run_key, case), io.BytesIO()
        picture.save(buffer, format="PNG")
        digest = hashlib.sha256(buffer.getvalue()).hexdigest()
        write_whole(folder / f"{record.k}.png", buffer.getvalue())
        write_whole(folder / f"{record.k}.json", canonical({**asdict(record), "sha256": digest}).encode())
        (folder / f"{record.k}.failure.json").unlink(missing_ok=True)

    def put_failure(self, run_key: str, case: Case, failure: Failure) -> None:
        path = self.case_folder(run_key, case) / f"{failure.k}.failure.json"
        write_whole(path, canonical(asdict(failure)).encode())

    def failure(self, run_key: str, case: Case, k: int) -> Failure | None:
        """Why the last try at this picture failed; None where it did not, or was never made."""
        try:
            return Failure(**json.loads((self.case_folder(run_key, case) / f"{k}.failure.json").read_text()))
        except (OSError, json.JSONDecodeError, TypeError):
            return None

    def record(self, run_key: str, case: Case, k: int) -> Record | None:
        """The picture's record alone, unverified."""
        try:
            return Record(**json.loads((self.case_folder(run_key, case) / f"{k}.json").read_text()))
        except (OSError, json.JSONDecodeError, TypeError):
            return None

    def records(self, run_key: str, case: Case, samples: int) -> dict[int, Record]:
        """Records by image number, of those that are there."""
        found = {k: self.record(run_key, case, k) for k in range(samples)}
        return {k: record for k, record in found.items() if record is not None}

    def get(self, run_key: str, case: Case, k: int) -> tuple[Image.Image, Record] | None:
        """The picture and its record, or None where either is missing or the picture is not what was written."""
        folder, record = self.case_folder(run_key, case), self.record(run_key, case, k)
        if record is None:
            return None
        try:
            content = (folder / f"{k}.png").read_bytes()
        except OSError:
            return None
        if hashlib.sha256(content).hexdigest() != record.sha256:
            log.warning("%s: altered since it was written, will be painted again", folder / f"{k}.png")
            return None
        return Image.open(io.BytesIO(content)).convert("RGB"), record

    def scores(self, run_key: str, case: Case) -> dict[str, dict[int, float | None]]:
        """Metric key -> k -> value, None for a missing value; empty where nothing (readable) was scored."""
        try:
            stored = json.loads((self.case_folder(run_key, case) / "scores.json").read_text())
        except (OSError, json.JSONDecodeError):
            return {}
        return {key: {int(k): value for k, value in values.items()} for key, values in stored.items()}

    def put_scores(self, run_key: str, case: Case, scores: dict[str, dict[int, float | None]]) -> None:
        """Add to what is there; the given values win."""
        known = self.scores(run_key, case)
        merged = {key: {**known.get(key, {}), **scores.get(key, {})} for key in {**known, **scores}}
        write_whole(self.case_folder(run_key, case) / "scores.json", canonical(merged).encode())


def run_key(identity: Any) -> str:
    """The first 32 hex digits of the identity's SHA-256: a folder name."""
    return key_of(identity)[:32]
