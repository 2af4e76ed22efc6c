"""What a sweep's folder says of its jobs: job.json in each, sweep.json and sweep.parquet over all."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from spin_bench.core.files import write_whole
from spin_bench.core.identity import canonical

JOB, INDEX, SCORES = "job.json", "sweep.json", "sweep.parquet"


def note(sweep: Path, job: str, values: Mapping[str, object], code: int) -> None:
    """Say what the job was, and index the sweep's jobs so far; the last of several processes to end indexes all."""
    plain = {
        name: value if isinstance(value, (int, float, bool, str)) else str(value) for name, value in values.items()
    }
    write_whole(sweep / job / JOB, canonical({"values": plain, "exit_code": code}).encode())
    indexed: list[Path] = []
    while indexed != (jobs := sorted(sweep.glob(f"*/{JOB}"))):
        _index(sweep, jobs)
        indexed = jobs


def _index(sweep: Path, paths: Sequence[Path]) -> None:
    jobs = [{"folder": path.parent.name, **json.loads(path.read_text())} for path in paths]
    names = list(dict.fromkeys(name for job in jobs for name in job["values"]))
    jobs.sort(key=lambda job: [_order(job["values"].get(name)) for name in names])
    frames = []
    for job in jobs:
        path = sweep / job["folder"] / "scores.parquet"
        if path.exists():
            scores = pd.read_parquet(path)
            for name in reversed(names):
                if name not in scores:  # "method" is a column already
                    scores.insert(0, name, job["values"].get(name))
            frames.append(scores)
    write_whole(sweep / INDEX, (json.dumps({"parameters": names, "jobs": jobs}, indent=1) + "\n").encode())
    if frames:
        write_whole(sweep / SCORES, pd.concat(frames, ignore_index=True).to_parquet(index=False))


def _order(value: object) -> tuple[int, float, str]:
    """Numbers by size, before words."""
    return (0, float(value), "") if isinstance(value, (int, float)) else (1, 0.0, str(value))
