"""What the UNet reads while painting: the embedding in a text, or a text alone, and another text elsewhere."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from spin_bench.case import Case
from spin_bench.diffusion.latents import mask_to_tensor, to_tensor
from spin_bench.diffusion.text import encode_prompt
from spin_bench.errors import PaintingError, UserError
from spin_bench.spin.embedding import LEARNED, slotted_prompt
from spin_bench.spin.settings import SpinSettings
from spin_bench.spin.vocabulary import nearest_word
from spin_bench.stack import Stack

PLACE, PROMPT, STYLE = "{}", "{prompt}", "{style}"
STYLES = ("a photo", "a cartoon animation", "an oil painting", "a pencil drawing")  # TF-ICON's domains in its words


@dataclass(frozen=True, eq=False)
class Context:
    """The hidden states of a text, and which of its tokens the embedding fills."""

    states: Tensor  # (1, window, width)
    slots: slice


def text_of(settings: SpinSettings) -> str:
    return settings.text or settings.embedding.template


def reads_reference(settings: SpinSettings) -> bool:
    return PLACE in text_of(settings)


def semantic_context(case: Case, learned: Tensor | None, settings: SpinSettings, stack: Stack) -> Context:
    """`learned` (1, ., width) in the text of the settings; None where the text has no place for it.

    In the text, {prompt} stands for the case's prompt and {style} for what CLIP calls the style of the background.
    """
    text = text_of(settings).replace(PROMPT, case.prompt)
    if STYLE in text:
        text = text.replace(STYLE, nearest_style(case, stack))
    if learned is None:
        return Context(encode_prompt(stack.tokenizer, stack.text_encoder, text), slice(0, 0))
    states = LEARNED[settings.embedding.learns].states
    if settings.embedding.learns == "conditioning":
        return Context(learned.to(stack.dtype), slice(0, 0))
    try:
        prompt = slotted_prompt(stack, text, learned.shape[1])
    except UserError as error:
        raise PaintingError(f"case {case.id}: {error}") from error  # its prompt is too long: others may not be
    return Context(states(stack, prompt, learned), prompt.slots)


def _nothing(case: Case, stack: Stack) -> Tensor:
    return encode_prompt(stack.tokenizer, stack.text_encoder, "")


def _prompt(case: Case, stack: Stack) -> Tensor:
    return encode_prompt(stack.tokenizer, stack.text_encoder, case.prompt)


@torch.no_grad()
def nearest_style(case: Case, stack: Stack) -> str:
    """Those of STYLES that CLIP finds nearest to the background, which it must see whole: a hole looks like a style."""
    texts = stack.clip.encode_text([f"{style} of a scene" for style in STYLES])
    return STYLES[int((stack.clip.encode_image(to_tensor(case.background)) @ texts.T).argmax())]


@torch.no_grad()
def _background(case: Case, stack: Stack) -> Tensor:
    """The word that CLIP finds nearest to the background with a grey hole."""
    known = to_tensor(case.background, stack.canvas) * (1 - mask_to_tensor(case.mask, stack.canvas))
    word, _ = nearest_word(stack, known)
    return encode_prompt(stack.tokenizer, stack.text_encoder, f"a photo of a {word}")


# (case, stack) to hidden states (1, window, width)
OUTSIDE: dict[str, Callable[[Case, Stack], Tensor]] = {
    "nothing": _nothing,
    "prompt": _prompt,
    "background": _background,
}
