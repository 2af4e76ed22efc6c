"""Where a learned token starts: the word nearest to a picture in CLIP, or another vector."""

import re
from collections.abc import Callable

import torch
from torch import Tensor

from spin_bench.core.errors import UserError, unknown
from spin_bench.models.stack import Stack

SHORTEST = 3  # letters of a word


def _whole_words(stack: Stack) -> list[tuple[str, int]]:
    """Every vocabulary entry that is a word of at least three letters, with its id."""
    suffix = "</w>"
    words = (
        (token.removesuffix(suffix), index) for token, index in stack.tokenizer.get_vocab().items() if suffix in token
    )
    return sorted((word, index) for word, index in words if len(word) >= SHORTEST and word.isascii() and word.isalpha())


def _nearest_word(stack: Stack, salient: Tensor, prompt: str) -> Tensor:
    """The vocabulary's word that CLIP scores nearest to the salient part."""
    words, ids = zip(*_whole_words(stack), strict=True)
    scores = stack.clip.encode_image(salient) @ stack.clip.encode_words(list(words)).T
    return stack.text_encoder.get_input_embeddings().weight[ids[int(scores.argmax())]]


def _mean_token(stack: Stack, salient: Tensor, prompt: str) -> Tensor:
    return stack.text_encoder.get_input_embeddings().weight.mean(0)


def _class_noun(stack: Stack, salient: Tensor, prompt: str) -> Tensor:
    """The prompt's word that CLIP scores nearest to the salient part; a word of several tokens is their mean."""
    words = sorted({word for word in re.findall("[a-z]+", prompt.lower()) if len(word) >= SHORTEST})
    if not words:
        raise UserError("init=class_noun: the prompt has no word: set init=nearest_word or mean_token")
    texts = stack.clip.encode_text([f"a photo of a {word}" for word in words])
    noun = words[int((stack.clip.encode_image(salient) @ texts.T).argmax())]
    ids = stack.tokenizer(noun, add_special_tokens=False).input_ids
    return stack.text_encoder.get_input_embeddings().weight[ids].mean(0)


# (stack, salient part, prompt) to a token vector (width,)
INITIAL: dict[str, Callable[[Stack, Tensor, str], Tensor]] = {
    "nearest_word": _nearest_word,
    "mean_token": _mean_token,
    "class_noun": _class_noun,
}


@torch.no_grad()
def initial_vectors(stack: Stack, salient: Tensor, *, init: str, vectors: int, prompt: str = "") -> Tensor:
    """Return `vectors` copies of the starting token vector, (vectors, width).

    `salient` is the reference with everything else grey, (1, 3, H, W) in [-1, 1]; `class_noun` reads the `prompt`.
    Raises `UserError` if `init` is unknown, or `class_noun` meets a prompt without a word.
    """
    if init not in INITIAL:
        raise unknown("initialisation", init, list(INITIAL))
    return INITIAL[init](stack, salient, prompt).float().expand(vectors, -1).clone()
