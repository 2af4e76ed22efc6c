"""The examples of docs/extending.md do what the page says."""

import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops

import spin_bench
from spin_bench import api
from spin_bench.core.case import Case
from spin_bench.methods.registry import methods
from spin_bench.metrics.batch import Batch
from spin_bench.metrics.registry import METRICS
from spin_bench.models.stack import Stack

PAGE = (Path(__file__).parents[2] / "docs" / "extending.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def example(name: str) -> Any:
    """What the page's example calls `name`."""
    (code,) = [code for code in EXAMPLES if re.search(rf"\b{name}\b", code)]
    module: dict[str, Any] = {"__name__": "my_package"}
    exec(code, module)
    return module[name]


def test_the_method_paints_inside_the_mask(stack: Stack, cases: list[Case]):
    method = example("METHOD")
    pictures = method.painter(method.settings(), stack)(cases[0], [1, 2])
    assert [picture.size for picture in pictures] == [cases[0].background.size] * 2
    left, top, right, bottom = ImageChops.difference(pictures[0], cases[0].background).getbbox()
    outer = cases[0].box
    assert outer[0] <= left < right <= outer[2] and outer[1] <= top < bottom <= outer[3]


@pytest.mark.parametrize(("colour", "value"), [("black", 1.0), ("white", 0.0)])
def test_the_metric_measures(stack: Stack, cases: list[Case], colour: str, value: float):
    pictures = [Image.new("RGB", case.background.size, colour) for case in cases[:2]]
    darkness = example("darkness")
    assert darkness(Batch(cases[:2], pictures, stack)).tolist() == pytest.approx([value] * 2)
    assert (darkness.name, darkness.higher_is_better) == ("darkness", False)
    assert len(darkness.key(stack)) == 64


def test_the_page_lists_the_public_surface():
    table = PAGE.partition("| name | what it is |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named == set(api.__all__)


def test_the_package_exports_it_again():
    assert all(getattr(spin_bench, name) is getattr(api, name) for name in api.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'Cas'"):
        spin_bench.Cas  # noqa: B018


def test_its_names_are_free():
    assert "my_method" not in methods() and "darkness" not in METRICS
