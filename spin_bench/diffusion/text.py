"""Prompts to the hidden states that a UNet reads."""

import logging

import torch
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

log = logging.getLogger(__name__)


def tokenise(tokenizer: CLIPTokenizer, prompt: str) -> Tensor:
    """(1, window) ids, padded; words beyond the window are cut with a warning that names them."""
    ids = tokenizer(prompt, padding="max_length", truncation=True, return_tensors="pt").input_ids
    lost = tokenizer.tokenize(prompt)[ids.shape[1] - 2 :]  # start and end are not among them
    if lost:
        words = tokenizer.decode(tokenizer.convert_tokens_to_ids(lost))
        log.warning("prompt cut to %d tokens, lost: %s", ids.shape[1], words)
    return ids


@torch.no_grad()
def encode_prompt(tokenizer: CLIPTokenizer, text_encoder: CLIPTextModel, prompt: str) -> Tensor:
    """Hidden states (1, window, width) of one prompt; "" gives the null text of classifier-free guidance."""
    return text_encoder(tokenise(tokenizer, prompt).to(text_encoder.device)).last_hidden_state
