"""Whose folder it is: a marker says which version of ours wrote it. What is not marked is left alone."""

import json
from dataclasses import dataclass
from pathlib import Path

from spin_bench.core.errors import UserError
from spin_bench.core.files import is_unfinished, write_whole
from spin_bench.core.identity import canonical

MARKER = "format.json"


@dataclass(frozen=True)
class FolderKind:
    """A kind of folder that we write."""

    name: str
    format: int
    mend: str  # what to do where a folder is not ours


RESULTS = FolderKind("results folder", 1, "choose another results_dir or experiment_name")
STORE = FolderKind("store", 2, "choose another store_dir")


def is_marked(folder: Path, kind: FolderKind) -> bool:
    """True if `folder` is of this kind, False if it is not there or empty; `UserError` if it is anything else."""
    # Listed before the marker is read: whoever else begins here writes the marker before any other file.
    others = [name for name in _names(folder) if name != MARKER and not is_unfinished(name)]
    version = read_format(folder)
    if version is None and others:
        raise UserError(f"{folder}: not a {kind.name} of ours, it holds {others[0]} and no {MARKER}: {kind.mend}")
    if version not in (None, kind.format):
        raise UserError(f"{folder}: written in format {version}, this version reads {kind.format}: {kind.mend}")
    return version is not None


def claim(folder: Path, kind: FolderKind) -> None:
    """Mark a new or empty folder as ours; `UserError` if it is somebody else's."""
    if not is_marked(folder, kind):
        write_whole(folder / MARKER, canonical({"format": kind.format}).encode())


def require(folder: Path, kind: FolderKind) -> None:
    """`UserError` unless `folder` is of this kind; writes nothing."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such {kind.name}; {kind.mend}")
    if not is_marked(folder, kind):
        raise UserError(f"{folder}: not a {kind.name}, it is empty; {kind.mend}")


def _names(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir())
    except FileNotFoundError:
        return []


def read_format(folder: Path) -> int | str | None:
    """The folder's format, "unreadable", or None where it has no marker."""
    try:
        return int(json.loads((folder / MARKER).read_text())["format"])
    except FileNotFoundError:
        return None
    except (UnicodeDecodeError, KeyError, TypeError, ValueError, RecursionError):
        return "unreadable"
