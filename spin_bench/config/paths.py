"""Paths and names of folders as the user writes them."""

from pathlib import Path

from spin_bench.core.errors import UserError

LONGEST = 120  # bytes of an experiment's name; a job of a sweep adds to it, and file systems end at 255


def expanded(setting: str, text: str) -> Path:
    """`text` as a path, with ~ as the user's home; `UserError` if it is empty or no path."""
    if not text or not text.isprintable():
        raise UserError(f"{setting}={text!r}: is no path: name a folder")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise UserError(f"{setting}={text}: {error}: write the path without ~") from error


def experiment_name(name: str) -> str:
    """`name`; `UserError` unless it is the name of one folder, here and on any other system."""
    if not name.strip() or name != name.strip() or name in (".", "..") or not name.isprintable():
        raise UserError(f"experiment_name={name!r}: is no name of a folder: use letters, digits, - and _")
    if any(letter in name for letter in "/\\:"):
        raise UserError(
            f"experiment_name={name}: is one folder's name below results_dir: leave / and .. to results_dir"
        )
    if len(name.encode()) > LONGEST:
        raise UserError(f"experiment_name={name[:20]}…: {len(name.encode())} bytes are too many: at most {LONGEST}")
    return name
