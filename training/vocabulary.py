"""Carry token vectors over to another vocabulary: what the old one knows keeps its vector, the rest begins small."""

import torch
from torch import Tensor
from transformers import CLIPTokenizer


def carried_over(vectors: Tensor, old: CLIPTokenizer, new: CLIPTokenizer) -> Tensor:
    """Rows of `vectors` (len(old), width) for `new`'s ids, (len(new), width).

    A token that `old` lacks gets the mean vector and noise of the vectors' own spread, the same at every call.
    """
    known, spread = old.get_vocab(), vectors.std(0)
    noise = torch.randn(len(new), vectors.shape[1], generator=torch.Generator().manual_seed(0)).to(vectors)
    rows = vectors.mean(0) + noise * spread
    for token, index in new.get_vocab().items():
        if token in known:
            rows[index] = vectors[known[token]]
    return rows
