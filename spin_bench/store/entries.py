"""The three things that a shard's line can say, and what its names and numbers have to be."""

import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from spin_bench.store.records import Failure, Record

_CASE = re.compile(r"[^./\\\0][^/\\\0]*-[0-9a-f]*", re.DOTALL)  # see `spin_bench.store.store.folder_name`
_DIGEST = re.compile(r"[0-9a-f]{64}")


def picture_entry(case: str, path: Path, record: Record, time: float) -> dict[str, Any]:
    """A picture lies at `path`. `case` is its folder's name, `time` in seconds since the epoch."""
    stat = path.stat()
    at = {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns}
    return {"kind": "picture", "case": case, "time": time, "record": asdict(record), **at}


def failure_entry(case: str, failure: Failure, time: float) -> dict[str, Any]:
    """There is no picture, and why. `case` and `time` as above."""
    return {"kind": "failure", "case": case, "time": time, "failure": asdict(failure)}


def scores_entry(
    case: str,
    scores: Mapping[str, Mapping[int, float | None]],
    of: Mapping[int, str],
    time: float,
    *,
    whole: bool,
) -> dict[str, Any]:
    """Values by metric key and image number, and the SHA-256 of their pictures by image number.

    With `whole` each value depends on every picture of `of`, else on its own alone.
    """
    return {"kind": "scores", "case": case, "time": time, "scores": scores, "of": of, "whole": whole}


def check_case(case: Any) -> None:
    """ValueError unless `case` is the name of a case's folder, and so no path to anywhere else."""
    if not isinstance(case, str) or not _CASE.fullmatch(case):
        raise ValueError(f"case {case!r} is no folder of a case")


def check_number(k: Any) -> None:
    """ValueError unless `k` numbers an image: 0, 1, ..."""
    if type(k) is not int or k < 0:
        raise ValueError(f"image {k!r} is no number")


def check_digest(sha256: Any) -> None:
    """ValueError unless `sha256` is 64 hex digits."""
    if not isinstance(sha256, str) or not _DIGEST.fullmatch(sha256):
        raise ValueError(f"sha256 {sha256!r} is no digest")
