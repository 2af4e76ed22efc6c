"""The embedded CLIP: open_clip's own model, small; see `training/train_clip.py`."""

from typing import Any

from torch import Tensor, nn
from transformers import CLIPTokenizer

WORDS = 978  # of the shipped tokenizer


def model_config(words: int) -> dict[str, Any]:
    """The model for a vocabulary of that many tokens, in open_clip's own configuration format."""
    return {
        "embed_dim": 128,
        "vision_cfg": {"image_size": 64, "layers": [1, 2, 2, 1], "width": 32, "head_width": 64},
        "text_cfg": {"context_length": 48, "vocab_size": words, "width": 128, "heads": 4, "layers": 2},
    }


def build_clip(words: int = WORDS) -> nn.Module:
    from open_clip import CLIP

    return CLIP(**model_config(words))


def clip_token_ids(tokenizer: CLIPTokenizer, texts: list[str]) -> Tensor:
    """(N, window) ids padded with 0: open_clip finds the end of a text by its largest id, so the end must be unique."""
    encoded = tokenizer(texts, padding="max_length", truncation=True, return_tensors="pt")
    return encoded.input_ids * encoded.attention_mask
