"""The command: `spin-bench [command] [name=value ...]`; without the name of a command it is `run`."""

import sys

import click

from spin_bench.cli.command import Group
from spin_bench.cli.convert import convert
from spin_bench.cli.diff import diff
from spin_bench.cli.doctor import doctor
from spin_bench.cli.download import download
from spin_bench.cli.fold import fold
from spin_bench.cli.guarded import guarded
from spin_bench.cli.metrics import metrics
from spin_bench.cli.report import report
from spin_bench.cli.run import run
from spin_bench.cli.score import score
from spin_bench.cli.store import store
from spin_bench.cli.sweep import sweep
from spin_bench.cli.validate import validate
from spin_bench.cli.validate_metrics import validate_metrics
from spin_bench.cli.votes import votes

COMMANDS = (
    run, fold, sweep, score, report, diff, votes, validate, metrics, validate_metrics, doctor, download, convert, store
)  # fmt: skip


OWN = ("-h", "--help", "--version")  # options of no command


class Main(Group):
    """Settings and options without the name of a command are those of a run."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in OWN and ("=" in args[0] or args[0][:1] in "~-"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group(cls=Main, commands={str(command.name): command for command in COMMANDS})
@click.version_option(package_name="spin-bench", prog_name="spin-bench")
def cli() -> None:
    """How good is a method that paints a reference object into a masked region of a picture?

    Settings are words, name=value, in Hydra's grammar; all of them stand in conf/config.yaml. A command without a name
    is a run: spin-bench experiment=table1 limit=8.
    """


def main(arguments: list[str] | None = None) -> int:
    """Entry point of `spin-bench` and `python -m spin_bench`; returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    return guarded(lambda: cli.main(words, prog_name="spin-bench", standalone_mode=False) or 0)


def entry() -> None:
    sys.exit(main())
