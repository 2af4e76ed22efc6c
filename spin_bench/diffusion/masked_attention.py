"""Uni-paint's control of attention by a mask (Yang et al. 2023): weights are multiplied after their softmax.

With a_i in [0, 1] the mask at query i, the weight of key j is multiplied by

    cross-attention:  a_i for every token but the first, which stays, so that the background reads the first alone;
    self-attention:   1 - (1 - a_i) a_j, so that the background does not read the foreground, which reads everything.

Quirk: the weights are not renormalised, so the background's sum of weights falls below one.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention
from torch import Tensor

from spin_bench.diffusion.attention import Attend, attention_by
from spin_bench.diffusion.token_grid import token_grid

# (mask at the queries (1, queries, 1), number of keys) to the factors of the weights (1, queries, keys)
Control = Callable[[Tensor, int], Tensor]


def cross_control(at_queries: Tensor, keys: int) -> Tensor:
    """The mask for every token but the first."""
    first = torch.ones_like(at_queries)
    return torch.cat([first, at_queries.expand(-1, -1, keys - 1)], dim=2)


def self_control(at_queries: Tensor, keys: int) -> Tensor:
    """No reading of the foreground by the background."""
    return 1 - (1 - at_queries) * at_queries.transpose(1, 2)


def masked_by(mask: Tensor, control: Control, *, renormalise: bool) -> Attend:
    """Attention whose weights `control` makes smaller by `mask` (1, 1, H, W) in [0, 1].

    `mask` may be altered in place between calls.
    """

    def attend(attn: Attention, hidden_states: Tensor, context: Tensor) -> Tensor:
        query, key, value = (
            attn.head_to_batch_dim(x) for x in (attn.to_q(hidden_states), attn.to_k(context), attn.to_v(context))
        )
        factors = control(_at_queries(mask, query.shape[1]), key.shape[1])
        weights = attn.get_attention_scores(query, key) * factors.to(query.dtype)
        if renormalise:
            weights = weights / weights.sum(-1, keepdim=True)
        project, dropout = attn.to_out
        return dropout(project(attn.batch_to_head_dim(weights @ value)))

    return attend


def _at_queries(mask: Tensor, queries: int) -> Tensor:
    """`mask` (1, 1, H, W) on a layer's grid, (1, queries, 1): bilinear, not antialiased, as published."""
    return F.interpolate(mask, token_grid(mask, queries), mode="bilinear").flatten(2).transpose(1, 2)


def masked_attention(
    unet: UNet2DConditionModel, mask: Tensor, *, renormalise: bool = False
) -> AbstractContextManager[UNet2DConditionModel]:
    """Every attention layer of `unet` is masked in the block by `mask`, (1, 1, H, W) float32 in [0, 1], 1 inside."""
    crossing, itself = (masked_by(mask, control, renormalise=renormalise) for control in (cross_control, self_control))
    return attention_by(unet, across=crossing, within=itself)
