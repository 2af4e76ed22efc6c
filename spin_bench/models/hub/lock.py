"""The lock file: which commit and which bytes `spin-bench download` got, for files whose hash nobody published.

First use is trusted and written down; every later use is compared. The file is meant to be committed.
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from spin_bench.core.errors import UserError
from spin_bench.core.files import write_whole
from spin_bench.models.hub.client import HubFile


@dataclass(frozen=True)
class Locked:
    """What was got of one file."""

    revision: str
    sha256: str
    size: int


def read_lock(path: Path) -> dict[str, Locked]:
    """By `HubFile.key`; empty where there is no lock file, `UserError` where it cannot be read."""
    if not path.exists():
        return {}
    try:
        return {key: Locked(**entry) for key, entry in json.loads(path.read_text()).items()}
    except (json.JSONDecodeError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: not a lock file ({error}): restore it, or delete it and download again") from error


def write_lock(path: Path, entries: dict[str, Locked]) -> None:
    text = json.dumps({key: asdict(entry) for key, entry in sorted(entries.items())}, indent=2)
    write_whole(path, f"{text}\n".encode())


def pinned(file: HubFile, lock: dict[str, Locked]) -> HubFile:
    """`file` with what the lock knows of it, where the stack itself says nothing; a stack's own pin wins."""
    known = lock.get(file.key)
    if known is None or file.revision not in ("", known.revision):
        return file
    return replace(file, revision=known.revision, sha256=file.sha256 or known.sha256, size=file.size or known.size)
