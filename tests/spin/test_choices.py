"""A switch that is set wrong is said in one line, before anything is painted."""

import re
from dataclasses import replace
from typing import Any, get_args, get_type_hints

import pytest
import torch

from spin_bench.core.case import Case
from spin_bench.core.errors import PaintingError, UserError
from spin_bench.methods.registry import methods
from spin_bench.models.stack import Stack
from spin_bench.spin.choices import EXTRACTION, GENERATION, check
from spin_bench.spin.context import PHOTO, Context, nearest_style, semantic_contexts
from spin_bench.spin.painter import spin
from spin_bench.spin.settings import EmbeddingSettings, SpinSettings
from spin_bench.store.artefacts import Artefacts


def _settings(changes: dict[str, Any]) -> SpinSettings:
    top = {name: value for name, value in changes.items() if not name.startswith("embedding.")}
    inner = {name.removeprefix("embedding."): value for name, value in changes.items() if name not in top}
    return SpinSettings(**top, embedding=EmbeddingSettings(**inner))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"blending": "nxt"}, "unknown blending of spin 'nxt': did you mean 'next'"),
        ({"injection": "two_context"}, "unknown injection of spin 'two_context': did you mean 'two_contexts'"),
        ({"embedding.init": "nearest"}, "unknown embedding.init of spin 'nearest': did you mean 'nearest_word'"),
        ({"embedding.saliency": "leaned"}, "unknown embedding.saliency of spin 'leaned': did you mean 'learned'"),
        ({"embedding.iterations": -1}, "spin: embedding.iterations=-1: must be at least 0"),
        ({"embedding.vectors": 0}, "spin: embedding.vectors=0: must be at least 1"),
        ({"embedding.vectors": 60}, "with vectors=60 is"),
        ({"embedding.template": "a photo"}, "embedding.template='a photo': say {} once"),
        ({"text": "{stile} of {}"}, "{stile} stands for nothing: write {}, {prompt} or {style}"),
        ({"soft_edges": -1.0}, "soft_edges=-1.0: a deviation in latent cells, 0 for hard edges"),
        ({"style_words": 1.5}, "style_words=1.5: a share of the region, from 0 to 1"),
        ({"text": "{} and {}"}, "text='{} and {}': say {} once"),
        ({"text": "{}" + " photo" * 80}, "longer than the text encoder's window of"),
        ({"embedding.learns": "conditioning", "text": "{} made of glass"}, "leave text as it is"),
        ({"injection": "token_column", "text": "{prompt}"}, "injection=token_column: hides a learned token"),
        ({"injection": "token_column", "embedding.learns": "conditioning"}, "hides a learned token"),
    ],
)
def test_a_wrong_choice_is_said(changes: dict[str, Any], message: str, stack: Stack, artefacts: Artefacts):
    with pytest.raises(UserError, match=re.escape(message)) as error:
        spin(_settings(changes), stack.keeping(artefacts))
    assert "\n" not in str(error.value)


def test_every_choice_that_is_listed_is_accepted(stack: Stack):
    for name, choices in GENERATION.items():
        for choice in choices:
            check(replace(SpinSettings(), **{name: choice}), stack)
    for name, choices in EXTRACTION.items():
        for choice in choices:
            check(SpinSettings(embedding=replace(EmbeddingSettings(), **{name: choice})), stack)


def test_the_settings_list_every_choice():
    for schema, choices in ((SpinSettings, GENERATION), (EmbeddingSettings, EXTRACTION)):
        for name, known in choices.items():
            assert set(get_args(get_type_hints(schema)[name])) == set(known), name


def test_a_prompt_too_long_for_the_text_fails_its_own_case(stack: Stack, cases, artefacts: Artefacts):
    long = replace(cases[0], prompt="a cat on a mat " * 20)
    settings = _settings({"text": "{}, {prompt}"})
    vectors = stack.text_encoder.get_input_embeddings().weight[:1][None]
    with pytest.raises(PaintingError, match=f"case {long.id}"):
        semantic_contexts(long, vectors, settings, stack)
    (context,) = semantic_contexts(replace(cases[0], prompt="a cat"), vectors, settings, stack)
    assert context.slots == slice(1, 2) and context.share == 1


def test_the_style_of_a_text_is_the_background_s(stack: Stack, cases: list[Case]):
    """Scenes of each domain are called by its name."""
    named = {case.domain: nearest_style(case, stack) for case in cases}
    words = {"real": "photo", "cartoon": "cartoon", "painting": "painting", "sketch": "drawing"}
    assert all(words[domain] in style for domain, style in named.items()) and len(named) > 1
    vectors = stack.text_encoder.get_input_embeddings().weight[:1][None]

    def contexts(case: Case, **changes: Any) -> list[Context]:
        return semantic_contexts(case, vectors, _settings(changes), stack)

    for case in cases:
        style = named[case.domain]
        spelt = {name: contexts(case, text=f"{name} of {{}}")[0] for name in (style, PHOTO)}
        shares = {PHOTO: 1.0} if style == PHOTO else {PHOTO: 0.75, style: 0.25}
        found = contexts(case, text="{style} of {}", style_words=0.25)
        assert [context.share for context in found] == list(shares.values())
        for context, name in zip(found, shares, strict=True):
            assert torch.equal(context.states, spelt[name].states) and context.slots == spelt[name].slots
        for alone, words in ((style, {"style_words": 1.0}), (PHOTO, {"style_words": 0.0})):
            (context,) = contexts(case, text="{style} of {}", **words)
            assert torch.equal(context.states, spelt[alone].states) and context.share == 1
        (context,) = contexts(case, text="{style} of {}", injection="after_softmax")  # it knows one context
        assert torch.equal(context.states, spelt[style].states)


def test_a_backbone_is_a_part_that_the_pictures_depend_on(stack: Stack, artefacts: Artefacts):
    method = methods()["spin"]
    assert "inpaint_unet" not in method.parts(SpinSettings())
    assert "inpaint_unet" in method.parts(SpinSettings(backbone="inpaint"))
    unknown_backbone = SpinSettings(backbone="inpant")
    assert method.parts(unknown_backbone) == method.parts(SpinSettings())
    with pytest.raises(UserError, match="did you mean 'inpaint'"):
        spin(unknown_backbone, stack.keeping(artefacts))
