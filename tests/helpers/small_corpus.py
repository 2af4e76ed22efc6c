"""A few scenes of the embedded world as the training code sees them: good for alignment, not for learning."""

from functools import cache

import numpy as np
import torch
from transformers import CLIPTextConfig, CLIPTextModel

from spin_bench.mini.world import CANVAS, paint, subject_mask
from training.corpus import Corpus, training_scene
from training.tokenizer import build_tokenizer


@cache
def small_corpus(count: int = 24) -> Corpus:
    """The first `count` training scenes; some of them are empty."""
    scenes, captions = zip(*(training_scene(index) for index in range(count)), strict=True)
    empty = np.zeros((CANVAS, CANVAS), np.uint8)
    return Corpus(
        pictures=np.stack([paint(scene) for scene in scenes]),
        masks=np.stack([subject_mask(scene) if scene.objects else empty for scene in scenes]) > 0,
        captions=list(captions),
        nouns=[scene.objects[-1].instance.noun if scene.objects else "" for scene in scenes],
        places=[scene.place for scene in scenes],
        domains=[scene.domain for scene in scenes],
    )


def small_text_encoder(width: int) -> CLIPTextModel:
    """Random weights over the embedded vocabulary, the same at every call."""
    tokenizer = build_tokenizer()
    torch.manual_seed(0)
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=width,
            intermediate_size=2 * width,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=tokenizer.model_max_length,
            projection_dim=width,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    ).eval()
