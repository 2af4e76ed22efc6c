"""What the README shows is true: its example is a method, and its commands are commands."""

import re
import shlex
from itertools import takewhile
from pathlib import Path

import pytest
from PIL import ImageChops

from spin_bench.cli.main import COMMANDS, FILE_COMMANDS, compose
from spin_bench.cli.multirun import first_job
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
def test_a_command_is_one(line: str):
    _, *words = shlex.split(line)
    leading = list(takewhile(lambda word: "=" not in word and not word.startswith("-"), words))
    if leading and leading[0] in FILE_COMMANDS:
        return
    if "--multirun" in words or any(word.startswith("sweep=") for word in words):
        compose(first_job(words))
        return
    assert (" ".join(leading) or "run") in COMMANDS
    compose(words[len(leading) :])


def test_there_are_commands_to_try():
    assert len(LINES) > 20
