"""Every command explains itself, at once: no model library is imported before a command is known to need it."""

import subprocess
import sys

import click
import pytest

from spin_bench.cli.command import Command
from spin_bench.cli.main import cli, main


def _commands(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], click.Command]]:
    listed: list[tuple[tuple[str, ...], click.Command]] = []
    for name, command in group.commands.items():
        inner = _commands(command, (*path, name)) if isinstance(command, click.Group) else []
        listed += inner or [((*path, name), command)]
    return listed


COMMANDS = _commands(cli)


def test_every_command_is_there() -> None:
    names = {" ".join(path) for path, _ in COMMANDS}
    runs = {"run", "fold", "sweep", "score", "report", "diff", "votes"}
    checks = {"validate", "metrics", "validate-metrics", "doctor", "download", "convert"}
    assert names == {*runs, *checks, "store ls", "store verify", "store gc", "store export"}


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[" ".join(path) for path, _ in COMMANDS])
def test_help_has_a_sentence_examples_options_and_exit_codes(
    path: tuple[str, ...], command: click.Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert isinstance(command, Command)
    assert main([*path, "--help"]) == main([*path, "-h"]) == 0
    text = capsys.readouterr().out
    assert (
        command.help and command.help.count(".") >= 1 and " ".join(command.help.split())[:40] in " ".join(text.split())
    )
    for head in ("Usage:", "Options:", "Examples:", "Exit codes:"):
        assert head in text
    assert 1 <= len(command.examples) <= 3
    for example in command.examples:
        assert example in text and example.startswith("spin-bench ")


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], [], ["metrics", "--help"], ["valdate"], ["limt=1"], ["store", "ls"]]
)
def test_no_model_library_is_imported_for_it(words: list[str]) -> None:
    heavy = "{'torch', 'diffusers', 'transformers', 'pandas', 'matplotlib'}"
    code = (
        f"import sys; from spin_bench.cli.main import main; main({words!r}); sys.exit(len({heavy} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_without_words_the_command_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == main(["store"]) == 0
    assert "spin-bench experiment=table1 limit=8" in " ".join(capsys.readouterr().out.split())


def test_a_shell_can_complete_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {"_SPIN_BENCH_COMPLETE": "bash_complete", "COMP_WORDS": "spin-bench va", "COMP_CWORD": "1"}
    code = "from spin_bench.cli.main import cli; cli(prog_name='spin-bench')"
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stdout
    assert {"plain,validate", "plain,validate-metrics"} <= set(said.split())
