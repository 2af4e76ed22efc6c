"""A method paints with the parts of the stack that it names, and with no other."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from PIL import Image

from spin_bench.core.case import Case
from spin_bench.core.errors import UserError
from spin_bench.methods.baselines.blended_diffusion import BlendedDiffusionSettings
from spin_bench.methods.baselines.blended_latent_diffusion import BlendedLatentDiffusionSettings
from spin_bench.methods.baselines.copy_paste import CopyPasteSettings
from spin_bench.methods.baselines.oracle import OracleSettings
from spin_bench.methods.baselines.powerpaint import PowerPaintSettings
from spin_bench.methods.baselines.sd_inpaint import SdInpaintSettings
from spin_bench.methods.baselines.uni_paint import UniPaintSettings
from spin_bench.methods.method import Method
from spin_bench.methods.registry import BUILT_IN, methods
from spin_bench.models.stack import Stack
from spin_bench.spin.settings import EmbeddingSettings, SpinSettings
from spin_bench.store.artefacts import Artefacts

# Settings that together touch every part that the method names.
QUICK: dict[str, list[Any]] = {
    "spin": [
        SpinSettings(steps=2, embedding=EmbeddingSettings(iterations=1)),
        SpinSettings(steps=2, embedding=EmbeddingSettings(iterations=1), backbone="inpaint"),
    ],
    "blended_diffusion": [BlendedDiffusionSettings(steps=2, batch=1, aug_num=1, background_preservation_loss=True)],
    "blended_latent_diffusion": [BlendedLatentDiffusionSettings(steps=2)],
    "sd_inpaint": [SdInpaintSettings(steps=2), SdInpaintSettings(steps=2, unet="text_to_image")],
    "powerpaint": [PowerPaintSettings(steps=2)],
    "uni_paint": [UniPaintSettings(steps=2, iterations=1)],
    "copy_paste": [CopyPasteSettings()],
    "described": [SdInpaintSettings(steps=2), SdInpaintSettings(steps=2, unet="text_to_image")],
    "oracle": [OracleSettings()],
}
# Parts that are reached through another: the embedded CLIP and PowerPaint read with the stack's tokenizer, and a stack
# without a guide lends its CLIP.
THROUGH_ANOTHER = {("blended_diffusion", "tokenizer"), ("blended_diffusion", "clip"), ("powerpaint", "tokenizer")}


@dataclass(frozen=True)
class NoSettings:
    pass


def _paint(method: Method, settings: Any, stack: Stack, case: Case) -> list[Image.Image]:
    return method.painter(settings, stack.keeping(Artefacts()))(case, [1])


@pytest.fixture(scope="module")
def guided(stack: Stack) -> Stack:
    """The stack with a guide of its own."""
    return replace(stack, loaders=replace(stack.loaders, guide=lambda: stack.clip))


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_method_touches_what_it_names_and_names_what_it_touches(name: str, guided: Stack, cases: list[Case]):
    method, untouched = methods()[name], set()
    case = replace(cases[0], colour="red", pattern="plain")  # which one of the bounds reads
    for index, settings in enumerate(QUICK[name]):
        named = method.parts(settings)
        assert named is not None
        assert len(_paint(method, settings, guided, case)) == 1
        spared = set()
        for part in named:
            others = tuple(other for other in named if other != part)
            try:
                _paint(replace(method, uses=others), settings, guided, case)
            except UserError as error:
                assert f"touches stack.{part} " in str(error)
            else:
                spared.add((name, part))
        untouched = untouched & spared if index else spared
    assert untouched <= THROUGH_ANOTHER


def test_touching_another_part_names_part_and_method(stack: Stack, cases: list[Case]):
    def build(settings: NoSettings, stack: Stack):
        def paint(case: Case, seeds: Sequence[int]) -> list[Image.Image]:
            stack.vae  # noqa: B018
            stack.judge  # noqa: B018
            return []

        return paint

    method = Method("Mine", NoSettings, build, "1", uses=("vae",))
    with pytest.raises(UserError, match=r"Mine touches stack\.judge without saying so: add 'judge'"):
        method.painter(NoSettings(), stack)(cases[0], [1])
    assert replace(method, uses=None).painter(NoSettings(), stack)(cases[0], [1]) == []
    assert replace(method, uses=("vae", "judge")).painter(NoSettings(), stack)(cases[0], [1]) == []


def test_what_a_method_borrows_is_loaded_once(stack: Stack):
    loaded = []
    stack = replace(stack, loaders=replace(stack.loaders, scheduler=lambda: loaded.append(1) or object()))
    lent = stack.lent("Mine", ["scheduler"])
    assert lent.scheduler is stack.keeping(Artefacts()).scheduler is stack.scheduler
    assert loaded == [1]


def test_an_unknown_part_is_an_error_and_no_weaker_key(stack: Stack):
    for ask in (stack.weights, stack.missing, lambda parts: stack.lent("Mine", parts)):
        with pytest.raises(UserError, match="unknown part of the stack 'unnet': did you mean 'unet'"):
            ask(["vae", "unnet"])
    assert set(stack.weights(["vae", "judge"])) == {"vae"}  # a part that ships with a library has no weights to name
