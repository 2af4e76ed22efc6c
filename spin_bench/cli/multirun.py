"""A sweep by Hydra's multirun: every job is a run with a results folder of its own, named by what is swept.

    <results>/<stack>/<dataset>/<experiment>/
        <name>-<value>,.../    a run's results, and job.json
        sweep.json             {"parameters": [names], "jobs": [{"folder", "values": {name: value}, "exit_code"}]}
        sweep.parquet          the scores of all jobs, with a column a parameter

Results are keyed by settings, never by Hydra's job number: the same command goes on where it ended, and a wider one
paints only what is new.
"""

import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig

from spin_bench.cli.exit_codes import BAD_INPUT, SIGNALLED
from spin_bench.cli.experiment import run_experiment
from spin_bench.cli.guarded import guarded, refused
from spin_bench.cli.sweep_index import note
from spin_bench.cli.terminal import terminal
from spin_bench.config.compose import compose
from spin_bench.config.settings import dataset_config, run_settings
from spin_bench.config.typed import shown
from spin_bench.config.words import config_folder, jobs, read_words, spelled
from spin_bench.core.errors import UserError
from spin_bench.core.identity import key_of
from spin_bench.methods.registry import methods
from spin_bench.metrics.registry import METRICS
from spin_bench.models.config import StackConfig
from spin_bench.models.loading.load import load_stack
from spin_bench.models.stack import Stack

LONGEST = 100  # letters of a job's folder


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


def run_sweep(words: Sequence[str]) -> int:
    """Run every job; the first exit code that is not 0 is returned.

    A signal, or a failure with `fail_fast`, ends the sweep. A job that fails in a process of another launcher (joblib,
    submitit) raises an error there, which Hydra reports.
    """
    overrides, codes, driver, load = read_words(words), list[int](), os.getpid(), StackCache()
    for job_words in jobs(overrides):
        run_settings(compose(job_words), methods(), METRICS)

    @hydra.main(version_base="1.3", config_path=str(config_folder().resolve()), config_name="config")
    def job(_: DictConfig) -> None:
        values = swept_values(
            overrides, HydraConfig.get().overrides.task, HydraConfig.get().sweeper.get("params") or {}
        )
        try:
            config = compose(HydraConfig.get().overrides.task)
        except UserError as error:
            codes.append(refused(error))
            return
        code = guarded(lambda: run_experiment(config, terminal(), load, job=job_name(values)))
        if values and code != BAD_INPUT:
            place = Path(config.results_dir).expanduser() / config.stack.name / dataset_config(config).label
            note(place / config.experiment_name, job_name(values), values, code)
        if code > SIGNALLED or (code and config.fail_fast):
            raise _Ended(code)
        if code and os.getpid() != driver:
            raise RuntimeError(f"exit code {code}")
        codes.append(code)

    before, sys.argv = sys.argv, [sys.argv[0], "--multirun", *spelled(overrides)]
    try:
        job()
    except _Ended as ended:
        return ended.code
    finally:
        sys.argv = before
    return next((code for code in codes if code), 0)


def swept_values(overrides: Sequence[Override], task: Sequence[str], presets: Mapping[str, str]) -> dict[str, object]:
    """What the command or a preset sweeps over, as it is in the job of the words `task`."""
    parser = OverridesParser.create()
    given = [*parser.parse_overrides([f"{name}={value}" for name, value in presets.items()]), *overrides]
    of_job = {override.key_or_group: override.value() for override in parser.parse_overrides(list(task))}
    names = dict.fromkeys(override.key_or_group for override in given if override.is_sweep_override())
    return {name: of_job[name] for name in names if name in of_job}


def job_name(values: Mapping[str, object]) -> str:
    """Of a job's folder; a long one ends in a hash instead."""
    parts = [f"{name}-{'+'.join(map(str, v)) if isinstance(v, list) else v}" for name, v in values.items()]
    name = re.sub(r"[^\w.,+-]+", "_", ",".join(parts))
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 13]}-{key_of(shown(list(values.items())))[:12]}"
