"""Votes of a blind study, read back from the CSV files that vote.html saved."""

import csv
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import pandas as pd

from spin_bench.core.errors import UserError
from spin_bench.statistics.bradley_terry import COLUMNS, check_votes

AGAIN = "export them again from vote.html"


def read_votes(paths: Sequence[Path], *, methods: Sequence[str]) -> pd.DataFrame:
    """Read the files of one study, one or more voters, into a frame with the columns `COLUMNS`.

    A file that is unreadable or given twice (one voter would count twice), a row that breaks off or is too long, and
    what `check_votes` refuses are `UserError`s.
    """
    frames: list[pd.DataFrame] = []
    voters: dict[bytes, Path] = {}  # content of a file -> the file
    for path in paths:
        votes, content = _read(path)
        if content in voters:
            raise UserError(f"{path} holds the very votes of {voters[content]}: name each voter's file once")
        voters[content] = path
        check_votes(votes, methods=methods, where=str(path))
        frames.append(votes)
    return pd.concat(frames, ignore_index=True)


def _read(path: Path) -> tuple[pd.DataFrame, bytes]:
    """The votes of a file, and its content."""
    try:
        content = path.read_bytes()
        reader = csv.DictReader(StringIO(content.decode("utf-8-sig")), strict=True)
        rows, columns = list(reader), reader.fieldnames or ()
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"cannot read votes from {path}: {error}; {AGAIN}") from error
    absent = [name for name in COLUMNS if name not in columns]
    if absent:
        raise UserError(f"{path} has no column {', '.join(absent)}: votes need {', '.join(COLUMNS)}")
    for number, row in enumerate(rows, start=1):
        if None in row or not all(row[name] for name in COLUMNS):  # too long, or too short
            raise UserError(f"{path}: vote {number} is no row of {len(columns)} values: {AGAIN}")
    return pd.DataFrame(rows, columns=list(columns))[COLUMNS].astype(str), content
