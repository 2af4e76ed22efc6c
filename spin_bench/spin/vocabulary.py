"""Where an embedding starts: the vocabulary word that CLIP finds nearest to the salient part of the reference."""

from collections.abc import Callable

import torch
from torch import Tensor

from spin_bench.errors import unknown
from spin_bench.stack import Stack


def _whole_words(stack: Stack) -> list[tuple[str, int]]:
    """Every vocabulary entry that is a word of at least three letters, with its id."""
    suffix = "</w>"
    words = (
        (token.removesuffix(suffix), index) for token, index in stack.tokenizer.get_vocab().items() if suffix in token
    )
    return sorted((word, index) for word, index in words if len(word) > 2 and word.isascii() and word.isalpha())


def _nearest_word(stack: Stack, salient: Tensor) -> Tensor:
    words = _whole_words(stack)
    scores = stack.clip.encode_image(salient) @ stack.clip.encode_words([word for word, _ in words]).T
    _, index = words[int(scores.argmax())]
    return stack.text_encoder.get_input_embeddings().weight[index]


def _mean_token(stack: Stack, salient: Tensor) -> Tensor:
    return stack.text_encoder.get_input_embeddings().weight.mean(0)


INITIAL: dict[str, Callable[[Stack, Tensor], Tensor]] = {"nearest_word": _nearest_word, "mean_token": _mean_token}


@torch.no_grad()
def initial_vectors(stack: Stack, salient: Tensor, *, init: str, vectors: int) -> Tensor:
    """`vectors` copies of the starting token vector, (vectors, width).

    `salient` is the reference with everything else grey, (1, 3, H, W) in [-1, 1].
    """
    if init not in INITIAL:
        raise unknown("initialisation", init, list(INITIAL))
    return INITIAL[init](stack, salient).float().expand(vectors, -1).clone()
