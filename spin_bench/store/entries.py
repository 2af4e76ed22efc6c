"""The three things that a shard's line can say."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from spin_bench.store.records import Failure, Record


def picture_entry(case: str, path: Path, record: Record, time: float) -> dict[str, Any]:
    """A picture lies at `path`. `case` is its folder's name, `time` in seconds since the epoch."""
    stat = path.stat()
    at = {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns}
    return {"kind": "picture", "case": case, "time": time, "record": asdict(record), **at}


def failure_entry(case: str, failure: Failure, time: float) -> dict[str, Any]:
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
