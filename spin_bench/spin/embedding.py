"""What Spin learns from a reference: token vectors, or all hidden states of the text."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from spin_bench.diffusion.placeholders import Slotted, encode_slotted
from spin_bench.models.stack import Stack


@dataclass(frozen=True)
class Learned:
    """A form of the embedding: `start` derives it from token vectors, `states` makes it the text's hidden states."""

    start: Callable[[Stack, Slotted, Tensor], Tensor]  # (stack, prompt, vectors (N, n, width)) to (N, ., width)
    states: Callable[[Stack, Slotted, Tensor], Tensor]  # (stack, prompt, learned (N, ., width)) to (N, window, width)


LEARNED: dict[str, Learned] = {
    "token_vectors": Learned(lambda stack, prompt, vectors: vectors, encode_slotted),
    "conditioning": Learned(encode_slotted, lambda stack, prompt, states: states),
}
