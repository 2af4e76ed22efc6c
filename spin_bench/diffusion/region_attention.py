"""Cross-attention that reads one context inside a region and another outside it.

    O_i = R_i * Attn(Q_i, inside) + (1 - R_i) * Attn(Q_i, outside)

and with several regions, each with a context of its own,

    O_i = sum_k R_ki * Attn(Q_i, c_k) + (1 - sum_k R_ki) * Attn(Q_i, outside)

Two contexts are mixed by region, rather than one token's column masked, because CLIP text is causal: every token after
the placeholder carries its content too, so masking a column leaks.
"""

from contextlib import AbstractContextManager

import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from torch import Tensor

from spin_bench.diffusion.attention import Attend, attention_by
from spin_bench.diffusion.token_grid import token_grid


def mixed_by(region: Tensor) -> Attend:
    """Attention that mixes contexts by `region` (N or 1, K, h, w), whose K channels sum to at most 1.

    All contexts come joined along their tokens: [inside the first region | ... | outside]. `region` may be altered in
    place between calls.
    """
    attention = AttnProcessor2_0()

    def attend(attn: Attention, hidden_states: Tensor, contexts: Tensor) -> Tensor:
        *mixed, rest = [attention(attn, hidden_states, part) for part in contexts.chunk(region.shape[1] + 1, dim=1)]
        weight = at_tokens(region, hidden_states.shape[1]).to(rest.dtype)
        weight = weight.repeat(len(rest) // len(weight), 1, 1)
        inside = [share * part for share, part in zip(weight.split(1, dim=2), mixed, strict=True)]
        return sum(inside[1:], inside[0]) + (1 - weight.sum(2, keepdim=True)) * rest

    return attend


def at_tokens(region: Tensor, tokens: int) -> Tensor:
    """Average `region` (N, K, h, w) over the cells of a layer's grid of `tokens`: (N, tokens, K)."""
    return F.adaptive_avg_pool2d(region, token_grid(region, tokens)).flatten(2).transpose(1, 2)


def pair(inside: Tensor, outside: Tensor) -> Tensor:
    """Join two contexts (N, tokens, width) for `region_attention`: (N, 2 tokens, width)."""
    return torch.cat([inside, outside], dim=1)


def region_attention(unet: UNet2DConditionModel, region: Tensor) -> AbstractContextManager[UNet2DConditionModel]:
    """Every cross-attention layer of `unet` mixes contexts by `region` in the block (see `mixed_by`)."""
    return attention_by(unet, across=mixed_by(region))
