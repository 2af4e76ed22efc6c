"""Uni-paint's control of attention by a mask (Yang et al. 2023): weights are multiplied after their softmax.

With a_i in [0, 1] the mask at query i, the weight of key j is multiplied by

    cross-attention:  a_i for every token but the first, which stays, so that the background reads the first alone;
    self-attention:   1 - (1 - a_i) a_j, so that the background does not read the foreground, which reads everything.

Quirk: the weights are not renormalised, so what the background reads shrinks by what it may no longer read.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention
from torch import Tensor

from spin_bench.diffusion.token_grid import token_grid

# (mask at the queries (1, queries, 1), number of keys) to what multiplies the weights (1, queries, keys)
Control = Callable[[Tensor, int], Tensor]


def cross_control(at_queries: Tensor, keys: int) -> Tensor:
    first = torch.ones_like(at_queries)
    return torch.cat([first, at_queries.expand(-1, -1, keys - 1)], dim=2)


def self_control(at_queries: Tensor, keys: int) -> Tensor:
    return 1 - (1 - at_queries) * at_queries.transpose(1, 2)


CONTROLS: dict[str, Control] = {"attn1.processor": self_control, "attn2.processor": cross_control}


class MaskedAttnProcessor:
    """Attention of a transformer block, its weights written out because they are what the mask multiplies."""

    def __init__(self, mask: Tensor, control: Control, *, renormalise: bool):
        self.mask, self.control, self.renormalise = mask, control, renormalise

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        query, key, value = (
            attn.head_to_batch_dim(x) for x in (attn.to_q(hidden_states), attn.to_k(context), attn.to_v(context))
        )
        control = self.control(at_tokens(self.mask, query.shape[1]), key.shape[1])
        weights = attn.get_attention_scores(query, key, attention_mask) * control.to(query.dtype)
        if self.renormalise:
            weights = weights / weights.sum(-1, keepdim=True)
        project, dropout = attn.to_out
        return dropout(project(attn.batch_to_head_dim(weights @ value)))


def at_tokens(mask: Tensor, tokens: int) -> Tensor:
    """`mask` (1, 1, H, W) on a layer's grid of `tokens`, (1, tokens, 1): bilinear, not antialiased, as published."""
    return F.interpolate(mask, token_grid(mask, tokens), mode="bilinear").flatten(2).transpose(1, 2)


@contextmanager
def masked_attention(
    unet: UNet2DConditionModel, mask: Tensor, *, renormalise: bool = False
) -> Iterator[UNet2DConditionModel]:
    """Within the block `mask`, (1, 1, H, W) float32 in [0, 1] in pixels, rules every transformer block of `unet`."""
    before = unet.attn_processors
    unet.set_attn_processor(
        {
            name: MaskedAttnProcessor(mask, CONTROLS[".".join(name.split(".")[-2:])], renormalise=renormalise)
            for name in before
        }
    )
    try:
        yield unet
    finally:
        unet.set_attn_processor(before)
