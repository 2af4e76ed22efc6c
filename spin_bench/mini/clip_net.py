"""The embedded CLIP: open_clip's own model, small; see `training/train_clip.py`."""

from torch import Tensor, nn
from transformers import CLIPTokenizer

# open_clip's own configuration format.
MODEL_CONFIG = {
    "embed_dim": 128,
    "vision_cfg": {"image_size": 64, "layers": [1, 2, 2, 1], "width": 32, "head_width": 64},
    "text_cfg": {"context_length": 48, "vocab_size": 978, "width": 128, "heads": 4, "layers": 2},
}


def build_clip() -> nn.Module:
    from open_clip import CLIP

    return CLIP(
        embed_dim=MODEL_CONFIG["embed_dim"], vision_cfg=MODEL_CONFIG["vision_cfg"], text_cfg=MODEL_CONFIG["text_cfg"]
    )


def clip_token_ids(tokenizer: CLIPTokenizer, texts: list[str]) -> Tensor:
    """(N, window) ids padded with 0: open_clip finds the end of a text by its largest id, so the end must be unique."""
    encoded = tokenizer(texts, padding="max_length", truncation=True, return_tensors="pt")
    return encoded.input_ids * encoded.attention_mask
