"""What the README shows is true: its example is a method, and its commands are commands."""

import re
import shlex
from pathlib import Path

import pytest
from PIL import ImageChops

from spin_bench.cli.command import Command
from spin_bench.cli.main import main
from spin_bench.config.compose import compose
from spin_bench.config.words import jobs, read_words
from spin_bench.core.case import Case
from spin_bench.models.stack import Stack

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


def test_the_example_of_a_method_paints(stack: Stack, cases: list[Case]):
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    module: dict = {}
    exec(code, module)
    method = module["METHOD"]
    painted = method.painter(method.settings(), stack)(cases[0], [1, 2])
    assert [picture.size for picture in painted] == [cases[0].background.size] * 2
    left, top, right, bottom = ImageChops.difference(painted[0], cases[0].background).getbbox()
    outer = cases[0].box
    assert outer[0] <= left < right <= outer[2] and outer[1] <= top < bottom <= outer[3]


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
