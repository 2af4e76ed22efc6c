"""What the UNet reads while painting: a text, mostly with the embedding in it, in the region, and another elsewhere."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from spin_bench.core.case import Case
from spin_bench.core.errors import PaintingError, UserError
from spin_bench.diffusion.latents import to_tensor
from spin_bench.diffusion.placeholders import slotted_prompt
from spin_bench.diffusion.text import encode_prompt
from spin_bench.models.stack import Stack
from spin_bench.spin.embedding import LEARNED
from spin_bench.spin.injection import INJECTIONS
from spin_bench.spin.settings import PLACE, PROMPT, STYLE, SpinSettings

PHOTO = "a photo"
STYLES = (PHOTO, "a cartoon animation", "an oil painting", "a pencil drawing")  # TF-ICON's domains in its words


@dataclass(frozen=True, eq=False)
class Context:
    """A text that a region reads, as hidden states."""

    states: Tensor  # (1, window, width)
    slots: slice  # tokens that the embedding fills
    share: float = 1.0  # of the region, that reads it; in [0, 1]


def text_of(settings: SpinSettings) -> str:
    """Return what the region reads, its places ({}, {prompt}, {style}) still open."""
    return settings.text or settings.embedding.template


def reads_reference(settings: SpinSettings) -> bool:
    """Tell whether the text has a place for the embedding."""
    return PLACE in text_of(settings)


def speaks_of_style(settings: SpinSettings) -> bool:
    """Tell whether CLIP names the style of the background."""
    whole_text = settings.embedding.learns == "conditioning"
    return STYLE in text_of(settings) and settings.style_words > 0 and not whole_text


def semantic_contexts(case: Case, learned: Tensor | None, settings: SpinSettings, stack: Stack) -> list[Context]:
    """Return the texts that the region of `case` reads; their shares sum to 1.

    `learned` (1, vectors or window, width) fills the place {} of the settings' text, None if it has none; {prompt} is
    the case's prompt, {style} the background's style in CLIP's words. If the background is not a photo, the region
    reads two texts, photo and style, mixed by `style_words`; an injection rule of one context reads the style's alone.
    Raises `PaintingError` if the case's prompt does not fit the text encoder's window.
    """
    text = text_of(settings).replace(PROMPT, case.prompt)
    style = nearest_style(case, stack) if speaks_of_style(settings) else PHOTO
    words = settings.style_words if INJECTIONS[settings.injection].several else 1.0
    shares = {PHOTO: 1.0} if style == PHOTO else {PHOTO: 1 - words, style: words}
    return [
        replace(_context(case, text.replace(STYLE, name), learned, settings, stack), share=share)
        for name, share in shares.items()
        if share > 0
    ]


def _context(case: Case, text: str, learned: Tensor | None, settings: SpinSettings, stack: Stack) -> Context:
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


@torch.no_grad()
def nearest_style(case: Case, stack: Stack) -> str:
    """Return the one of STYLES nearest to the whole background in CLIP: a hole would look like a style of its own."""
    texts = stack.clip.encode_text([f"{style} of a scene" for style in STYLES])
    return STYLES[int((stack.clip.encode_image(to_tensor(case.background)) @ texts.T).argmax())]


# What the rest of the picture reads.
OUTSIDE: dict[str, Callable[[Case], str]] = {"nothing": lambda case: "", "prompt": lambda case: case.prompt}
