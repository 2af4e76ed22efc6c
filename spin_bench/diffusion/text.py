"""Prompts to the hidden states that a UNet reads."""

import logging

import torch
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

log = logging.getLogger(__name__)


def tokenise(tokenizer: CLIPTokenizer, prompt: str) -> Tensor:
    """Tokenise to padded ids (1, window); words beyond the window are cut, and a warning names them."""
    ids = tokenizer(prompt, padding="max_length", truncation=True, return_tensors="pt").input_ids
    window = ids.shape[1]
    # Cut out of the prompt itself: a tokenizer with added tokens (PowerPaint's) decodes to pieces of words.
    places = tokenizer(prompt, return_offsets_mapping=True, verbose=False).offset_mapping
    if len(places) > window:
        first = places[window - 1][0]  # the window's last place is the end's
        whole = prompt.rfind(" ", 0, first) + 1  # a word of several tokens is lost with the first of them
        log.warning("prompt cut to %d tokens, lost: %s", window, prompt[whole:])
    return ids


@torch.no_grad()
def encode_prompt(tokenizer: CLIPTokenizer, text_encoder: CLIPTextModel, prompt: str) -> Tensor:
    """Encode one prompt to hidden states (1, window, width); "" is the null text of classifier-free guidance."""
    return text_encoder(tokenise(tokenizer, prompt).to(text_encoder.device)).last_hidden_state
