"""Hydra's multirun: every job is a run with a results folder of its own, named by what is swept.

    <results>/<stack>/<dataset>/<experiment>/
        <name>-<value>,.../    a run's results, and job.json
        sweep.json             {"parameters": [names], "jobs": [{"folder", "values": {name: value}, "exit_code"}]}
        sweep.parquet          the scores of all jobs, with a column a parameter

Results are keyed by settings, never by Hydra's job number: the same command goes on where it ended, and a wider one
paints only what is new.
"""

import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import hydra
import pandas as pd
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig

from spin_bench.config.precedence import yielding
from spin_bench.core.files import write_whole
from spin_bench.core.identity import canonical, key_of
from spin_bench.models.config import StackConfig
from spin_bench.models.loading.load import load_stack
from spin_bench.models.stack import Stack

JOB, INDEX, SCORES = "job.json", "sweep.json", "sweep.parquet"
REFUSED = 2  # nothing was written, so a sound job of before is still what it was
SIGNALLED = 128


class StackCache:
    """Loads a stack once, for all jobs of this process."""

    def __init__(self) -> None:
        self._loaded: dict[str, Stack] = {}

    def __call__(self, config: StackConfig) -> Stack:
        key = key_of(config)
        if key not in self._loaded:
            self._loaded[key] = load_stack(config)
        return self._loaded[key]


class _Ended(BaseException):
    """The rest of the sweep is not wanted; Hydra lets it pass."""

    def __init__(self, code: int):
        self.code = code


def multirun(words: Sequence[str], run: Callable[[DictConfig], int], *, conf: Path) -> int:
    """Run every job of a sweep with `run`, which returns an exit code; the first that is not 0 is returned.

    A signal, or a failure with `fail_fast`, ends the sweep. A job that fails in a process of another launcher (joblib,
    submitit) raises an error there, which Hydra reports.
    """
    codes: list[int] = []
    driver = os.getpid()

    @hydra.main(version_base="1.3", config_path=str(conf), config_name="config")
    def job(config: DictConfig) -> None:
        values = swept_values(words, HydraConfig.get())
        sweep = config.experiment_name
        config.experiment_name = "/".join(filter(None, (sweep, job_name(values))))
        code = run(yielding(config, HydraConfig.get().overrides.task))
        if values and code != REFUSED:
            _note(Path(config.results_dir) / config.stack.name / config.dataset.name / sweep, values, code)
        if code > SIGNALLED or (code and config.fail_fast):
            raise _Ended(code)
        if code and os.getpid() != driver:
            raise RuntimeError(f"exit code {code}")
        codes.append(code)

    sys.argv = [sys.argv[0], *words]
    try:
        job()
    except _Ended as ended:
        return ended.code
    return next((code for code in codes if code), 0)


def first_job(words: Sequence[str]) -> list[str]:
    """The overrides of the first job that `words` ask for, to be checked before any job runs."""
    found = []
    for each in OverridesParser.create().parse_overrides([word for word in words if not word.startswith("-")]):
        line = str(each.input_line)
        if each.is_sweep_override():
            line = f"{line.partition('=')[0]}={next(each.sweep_string_iterator())}"
        found.append(line)
    return found


def swept_values(words: Sequence[str], config: Any) -> dict[str, Any]:
    """What the command or a preset sweeps over, as it is in one job; `config` is Hydra's own of that job."""
    parser = OverridesParser.create()
    presets = [f"{name}={value}" for name, value in (config.sweeper.get("params") or {}).items()]
    given = parser.parse_overrides([*presets, *(word for word in words if not word.startswith("-"))])
    of_job = {
        override.key_or_group: override.value() for override in parser.parse_overrides(list(config.overrides.task))
    }
    names = dict.fromkeys(override.key_or_group for override in given if override.is_sweep_override())
    return {name: of_job[name] for name in names if name in of_job}


def job_name(values: dict[str, Any]) -> str:
    """Of a job's folder. No "=", which would have to be quoted in an override."""
    parts = [f"{name}-{'+'.join(map(str, v)) if isinstance(v, list) else v}" for name, v in values.items()]
    return re.sub(r"[^\w.,+-]+", "_", ",".join(parts))


def _note(sweep: Path, values: dict[str, Any], code: int) -> None:
    """Say what the job was, and index the sweep's jobs so far; the last of several processes to end indexes all."""
    folder = sweep / job_name(values)
    plain = {
        name: value if isinstance(value, (int, float, bool, str)) else str(value) for name, value in values.items()
    }
    write_whole(folder / JOB, canonical({"values": plain, "exit_code": code}).encode())
    found = None
    while found != (found := sorted(sweep.glob(f"*/{JOB}"))):
        _index(sweep, found)


def _index(sweep: Path, found: Sequence[Path]) -> None:
    jobs = [{"folder": path.parent.name, **json.loads(path.read_text())} for path in found]
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


def _order(value: Any) -> tuple[int, float, str]:
    """Numbers by size, before words."""
    return (0, float(value), "") if isinstance(value, (int, float)) else (1, 0.0, str(value))
