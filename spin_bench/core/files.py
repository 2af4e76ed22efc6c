"""No reader ever meets half a file."""

import os
import re
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pandas import DataFrame

_UNFINISHED = re.compile(r"\..+\.[0-9a-f]{8}\.tmp", re.DOTALL)  # see `_beside`


def is_unfinished(name: str) -> bool:
    """Whether a file of that name is one that `write_whole` or `link_whole` has not finished, and nobody else's."""
    return _UNFINISHED.fullmatch(name) is not None


def write_whole(path: Path, content: bytes) -> None:
    """Put `content` at `path` in one step (temporary file, fsync, rename); a failure leaves what was there."""
    unfinished = _beside(path)
    try:
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_csv(path: Path, frame: "DataFrame", *, digits: int = 6) -> None:
    """Put a frame at `path` as CSV in one step: no index, fractions to `digits` places, the same bytes everywhere."""
    text: str = frame.to_csv(index=False, float_format=f"%.{digits}f", lineterminator="\n")
    write_whole(path, text.encode())


def link_whole(source: Path, path: Path) -> None:
    """Make `path` another name of `source`, or a copy where the file system has no hard links, in one step."""
    if path.exists() and path.samefile(source):
        return
    unfinished = _beside(path)
    try:
        try:
            os.link(source, unfinished)
        except OSError:
            shutil.copyfile(source, unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    """A new name for a file that will become `path`; no other process on any machine takes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
