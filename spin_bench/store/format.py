"""Which version wrote a folder; another one's is refused, never misread."""

import json
from pathlib import Path

from spin_bench.core.errors import UserError
from spin_bench.core.files import write_whole
from spin_bench.core.identity import canonical

RESULTS_FORMAT = 1  # of a results folder
STORE_FORMAT = 2
MARKER = "format.json"


def found_format(folder: Path) -> int | str | None:
    """The folder's format, "unreadable", or None where it has none yet."""
    try:
        return int(json.loads((folder / MARKER).read_text())["format"])
    except FileNotFoundError:
        return None
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError):
        return "unreadable"


def check_format(folder: Path, *, wanted: int = RESULTS_FORMAT, mend: str = "choose another results_dir") -> None:
    """Mark a new folder with our format; `UserError` where another version wrote it, with how to `mend` it."""
    found = found_format(folder)
    if found is None:
        write_whole(folder / MARKER, canonical({"format": wanted}).encode())
    elif found != wanted:
        raise UserError(f"{folder}: written in format {found}, this version reads {wanted}: {mend}")
