"""The bound that is told the individual's true words."""

from dataclasses import replace

import numpy as np
import pytest

from spin_bench.core.case import Case
from spin_bench.core.errors import UserError
from spin_bench.methods.baselines.described import METHOD, described, true_prompt
from spin_bench.methods.baselines.sd_inpaint import SdInpaintSettings, sd_inpaint
from spin_bench.models.stack import Stack


@pytest.mark.parametrize(
    ("noun", "colour", "pattern", "prompt", "told"),
    [
        (
            "teapot",
            "blue",
            "striped",
            "a sketch of a teapot on the grass",
            "a sketch of a blue striped teapot on the grass",
        ),
        (
            "owl",
            "red",
            "plain",
            "an oil painting of an owl, Van Gogh Style",
            "an oil painting of a plain red owl, Van Gogh Style",
        ),
        ("teddy bear", "orange", "dotted", "a teddy bear", "an orange dotted teddy bear"),
        ("car (toy)", "pink", "checked", "a car beside a car (toy)", "a car beside a pink checked car (toy)"),
        ("car", "pink", "checked", "a photo of a carton", None),
    ],
)
def test_the_look_stands_before_the_noun(
    cases: list[Case], noun: str, colour: str, pattern: str, prompt: str, told: str | None
):
    case = replace(cases[0], prompt=prompt, subject=noun, colour=colour, pattern=pattern)
    if told is None:
        with pytest.raises(UserError, match="does not name"):
            true_prompt(case)
    else:
        assert true_prompt(case) == told


def test_a_case_without_a_look_is_refused(stack: Stack, cases: list[Case]):
    with pytest.raises(UserError, match="leave described out"):
        described(SdInpaintSettings(steps=2), stack)(cases[0], [3])
    with pytest.raises(UserError, match="does not name"):
        true_prompt(replace(cases[0], subject="", colour="red", pattern="plain"))


def test_it_paints_what_sd_inpaint_paints_under_those_words(stack: Stack, cases: list[Case]):
    case, settings = replace(cases[0], colour="red", pattern="plain"), SdInpaintSettings(steps=2)
    (ours,) = METHOD.painter(settings, stack)(case, [3])
    told, plain = (
        sd_inpaint(settings, stack)(replace(case, prompt=text), [3])[0] for text in (true_prompt(case), case.prompt)
    )
    assert np.array_equal(ours, told)
    assert not np.array_equal(ours, plain)
