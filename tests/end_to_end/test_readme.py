"""What the README shows is true: its commands are commands, and run in the order of the page."""

import re
import shlex
from pathlib import Path

import pytest

from spin_bench.cli.command import Command
from spin_bench.cli.main import main
from spin_bench.config.compose import compose
from spin_bench.config.words import jobs, read_words

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PAGES = [
    README,
    *(
        (ROOT / "docs" / name).read_text().replace("\\\n", " ")
        for name in ("spin.md", "metrics.md", "scale.md", "paper-scale.md")
    ),
]
LINES = sorted(
    {line.split("  #")[0].strip() for page in PAGES for line in page.splitlines() if "    spin-bench " in line}
)


@pytest.mark.parametrize("line", LINES)
def test_a_command_is_one(line: str, monkeypatch: pytest.MonkeyPatch):
    given: list[dict] = []
    monkeypatch.setattr(Command, "invoke", lambda self, context: given.append(context.params) or 0)
    assert main(shlex.split(line)[1:]) == 0
    words = given[0].get("words", ())
    sweeping = given[0].get("multirun") or any(word.startswith("sweep=") for word in words)
    for job in jobs(read_words(words)) if sweeping else [words]:
        compose(job)


def test_there_are_commands_to_try():
    assert len(LINES) > 20


# What makes a command of the page a matter of seconds; which rows a run keeps is held by tests/fold.
SMALLER = ("steps=2", "settings.spin.embedding.iterations=1", "set_level=[]", "methods=[spin,copy_paste]")
SLOW = ("doctor", "validate-metrics")  # of which neither reads nor writes what another command does
IN_ORDER = [line.split("  #")[0].strip() for line in README.partition("With pictures, votes")[0].splitlines()]
IN_ORDER = [line for line in IN_ORDER if line.startswith("spin-bench ") and not any(name in line for name in SLOW)]


def smaller(line: str) -> list[str]:
    """The words of a command; if it is a run, of one case, one image, two steps and a method that paints quickly."""
    words = [re.sub(r"^(limit|samples)=\d+$", r"\1=1", word) for word in shlex.split(line)[1:]]
    if not any(word.startswith(("experiment=", "sweep=", "--multirun")) for word in words):
        return words
    given = {word.partition("=")[0] for word in words}
    more = [word for word in ("limit=1", "samples=1", *SMALLER) if word.partition("=")[0] not in given]
    return [*words, *(word for word in more if not ("method" in given and word.startswith("methods")))]


@pytest.mark.slow
def test_the_commands_run_in_the_order_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "reference").symlink_to(ROOT / "results" / "reference")
    monkeypatch.chdir(tmp_path)
    for line in IN_ORDER:
        assert main(smaller(line)) == 0, (line, capsys.readouterr().err)
    assert "Spin 0.2" in (tmp_path / "results/mini/mini/table1/table.md").read_text()
