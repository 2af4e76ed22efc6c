"""The command: `spin-bench [command] [override ...]`.

spin-bench experiment=table1 limit=8 methods=[spin,copy_paste]
spin-bench sweep=cfg limit=8
spin-bench --multirun method=spin method.guidance_scale=3,5,7.5
spin-bench store ls
spin-bench validate dataset=tficon dataset.root=/data/tficon
spin-bench metrics stack=mini
spin-bench report results/mini/mini/table1
spin-bench diff results/mini/mini/table1 results/reference/mini/mini/table1
spin-bench sweep results/mini/mini/sweep-cfg
spin-bench votes votes.csv
spin-bench validate-metrics dataset.domains=all
spin-bench score images=/my/pictures dataset=tficon dataset.root=/data/tficon
"""

import errno
import logging
import os
import pkgutil
import signal
import sys
from collections.abc import Callable
from functools import partial
from importlib.metadata import PackageNotFoundError
from itertools import takewhile
from pathlib import Path
from typing import Any

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console
from rich.logging import RichHandler

from spin_bench.cli.allocator import restart_with_settings
from spin_bench.config.precedence import yielding
from spin_bench.core.errors import FirstFailure, UserError, unknown
from spin_bench.core.stopping import Stopped

Command = Callable[[DictConfig, Console], int]

DONE = 0
BAD_INPUT = 2
SOME_FAILED = 3
SIGNALLED = 128  # plus the signal's number: 130 for Ctrl-C
OUR_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG, errno.ENOTDIR)


def config_folder() -> Path:
    """`conf/` inside the package once installed, beside it in a checkout."""
    package = Path(__file__).parents[1]
    return next(folder for folder in (package / "conf", package.parent / "conf") if folder.is_dir())


def compose(overrides: list[str]) -> DictConfig:
    """The whole configuration; `UserError` where a name or an override does not fit."""
    with hydra.initialize_config_dir(str(config_folder().resolve()), version_base="1.3"):
        try:
            return yielding(hydra.compose("config", overrides=overrides), overrides)
        except (HydraException, OmegaConfBaseException) as error:
            raise _explained(error, overrides) from error


def _explained(error: Exception, overrides: list[str]) -> UserError:
    """Say an error of the configuration in one line, with the nearest known name where a group's option is wrong."""
    for override in overrides:
        group, _, option = override.partition("=")
        folder = config_folder() / group
        if folder.is_dir() and not (folder / f"{option}.yaml").exists():
            return unknown(group, option, sorted(path.stem for path in folder.glob("*.yaml")))
    lines = [line for line in str(error).splitlines() if line.strip()]
    return UserError(f"{lines[0]} (in: {' '.join(overrides)})")


def lazy(path: str) -> Command:
    """The command at "module:function", imported when it runs: models' libraries take seconds to import."""

    def command(config: DictConfig, console: Console) -> int:
        return pkgutil.resolve_name(path)(config, console)

    return command


def metrics_command(config: DictConfig, console: Console) -> int:
    """Print every metric's record: what it compares, and every choice that moves its number."""
    from spin_bench.config.settings import stack_config
    from spin_bench.metrics.listing import metrics_table
    from spin_bench.models.loading.load import load_stack

    console.print(metrics_table(load_stack(stack_config(config))))
    return DONE


COMMANDS: dict[str, Command] = {
    "run": lazy("spin_bench.cli.run:run_command"),
    "fold": lazy("spin_bench.cli.run:fold_command"),
    "validate": lazy("spin_bench.cli.validate:validate_command"),
    "metrics": metrics_command,
    "doctor": lazy("spin_bench.cli.doctor:doctor_command"),
    "download": lazy("spin_bench.cli.download:download_command"),
    "convert": lazy("spin_bench.cli.convert:convert_command"),
    "validate-metrics": lazy("spin_bench.cli.validate_metrics:validate_metrics_command"),
    "score": lazy("spin_bench.cli.score:score_command"),
    "store ls": lazy("spin_bench.cli.store:ls_command"),
    "store verify": lazy("spin_bench.cli.store:verify_command"),
    "store gc": lazy("spin_bench.cli.store:gc_command"),
    "store export": lazy("spin_bench.cli.store:export_command"),
}

# These read files that are there: their words are paths, not settings.
FILE_COMMANDS = {
    "report": "spin_bench.cli.report:report_command",
    "sweep": "spin_bench.cli.sweep:sweep_command",
    "diff": "spin_bench.cli.diff:diff_command",
    "votes": "spin_bench.cli.votes:votes_command",
}


def guarded(command: Callable[[Any, Console], int], words: Any, console: Console) -> int:
    """Run a command on its configuration or its paths; what the user can mend becomes one line and an exit code."""
    try:
        return command(words, console)
    except UserError as error:
        print(f"spin-bench: {error}", file=sys.stderr)
        return BAD_INPUT
    except OSError as error:
        if error.errno not in OUR_FAULTS:
            raise
        where = error.filename or getattr(words, "results_dir", "")  # a failed write does not name its file
        print(f"spin-bench: {error.strerror}: {where}: mend it and run again, nothing is lost", file=sys.stderr)
        return BAD_INPUT
    except PackageNotFoundError as error:  # run from a source tree
        print(f"spin-bench: {error.name} is not installed: run make setup, or pip install -e .", file=sys.stderr)
        return BAD_INPUT
    except FirstFailure as error:
        print(f"spin-bench: {error}: stopped, since fail_fast=true; the same command tries again", file=sys.stderr)
        return SOME_FAILED
    except KeyboardInterrupt as error:
        print("spin-bench: stopped; the same command goes on where this one ended", file=sys.stderr)
        return SIGNALLED + (error.signum if isinstance(error, Stopped) else signal.SIGINT)


def _quiet_libraries() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[RichHandler(show_path=False)], force=True)
    # fontTools tells of every letter that it embeds in a PDF, the hub's client of every request
    for talker in ("fontTools", "httpx", "httpx2"):
        logging.getLogger(talker).setLevel(logging.WARNING)
    os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")


def _multirun(words: list[str]) -> int:
    """A sweep: each job is one run."""
    from spin_bench.cli.multirun import StackCache, first_job, multirun
    from spin_bench.cli.run import run_command

    try:
        compose(first_job(words))
    except (UserError, HydraException) as error:
        print(f"spin-bench: {error}", file=sys.stderr)
        return BAD_INPUT
    command = partial(run_command, load=StackCache())
    return multirun(words, lambda config: guarded(command, config, Console()), conf=config_folder().resolve())


def main(arguments: list[str] | None = None) -> int:
    """Entry point of `spin-bench` and `python -m spin_bench`; returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    console = Console()
    _quiet_libraries()
    if words and words[0] in ("-h", "--help"):
        console.print(__doc__, markup=False)
        console.print(
            f"commands: {', '.join([*COMMANDS, *FILE_COMMANDS])}; settings: {config_folder() / 'config.yaml'}",
            markup=False,
        )
        return 0
    if words and words[0] in FILE_COMMANDS:
        return guarded(pkgutil.resolve_name(FILE_COMMANDS[words[0]]), words[1:], console)
    if any(word in ("-m", "--multirun") or word.startswith("sweep=") for word in words):
        return _multirun(words)
    leading = list(takewhile(lambda word: "=" not in word, words))
    name = " ".join(leading) or "run"
    try:
        if name not in COMMANDS:
            raise unknown("command", name, [*COMMANDS, *FILE_COMMANDS])
        config = compose(words[len(leading) :])
    except UserError as error:
        print(f"spin-bench: {error}", file=sys.stderr)
        return BAD_INPUT
    return guarded(COMMANDS[name], config, console)


def entry() -> None:
    _quiet_libraries()
    if not set(sys.argv[1:2]) & set(FILE_COMMANDS):  # which load no model
        restart_with_settings(sys.argv[1:])
    sys.exit(main())
