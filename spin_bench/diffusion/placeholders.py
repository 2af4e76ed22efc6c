"""Prompts with free places, and their hidden states once token vectors fill the places."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spin_bench.core.errors import UserError
from spin_bench.models.stack import Stack


@dataclass(frozen=True)
class Slotted:
    """A prompt with free places for learned token vectors."""

    ids: Tensor  # (1, window)
    slots: slice  # where the vectors go


def slotted_prompt(stack: Stack, template: str, vectors: int) -> Slotted:
    """Tokenise `template` with `vectors` free places for its "{}"; raise `UserError` if the window is too short."""
    tokenizer = stack.tokenizer
    before, after = template.split("{}")
    head = [tokenizer.bos_token_id, *tokenizer(before.strip(), add_special_tokens=False).input_ids]
    tail = [*tokenizer(after.strip(), add_special_tokens=False).input_ids, tokenizer.eos_token_id]
    window = tokenizer.model_max_length
    padding = window - len(head) - vectors - len(tail)
    if padding < 0:
        raise UserError(
            f"{template!r} with vectors={vectors} is {-padding} tokens longer than the text encoder's window "
            f"of {window}: take fewer vectors or a shorter text"
        )
    ids = head + [tokenizer.eos_token_id] * vectors + tail + [tokenizer.pad_token_id] * padding
    return Slotted(torch.tensor([ids]), slice(len(head), len(head) + vectors))


@contextmanager
def _spliced(embedding: nn.Module, slots: slice, vectors: Tensor) -> Iterator[None]:
    def splice(_module: nn.Module, _inputs: tuple[object, ...], output: Tensor) -> Tensor:
        tokens = vectors.expand(len(output), -1, -1).to(output.dtype)
        return torch.cat([output[:, : slots.start], tokens, output[:, slots.stop :]], dim=1)

    handle = embedding.register_forward_hook(splice)
    try:
        yield
    finally:
        handle.remove()


def encode_slotted(stack: Stack, prompt: Slotted, vectors: Tensor) -> Tensor:
    """Encode `prompt` with `vectors` (N, n, width) in its slots: hidden states (N, window, width), differentiable."""
    encoder = stack.text_encoder
    ids = prompt.ids.to(stack.device).expand(len(vectors), -1)
    with _spliced(encoder.get_input_embeddings(), prompt.slots, vectors):
        return encoder(ids).last_hidden_state
