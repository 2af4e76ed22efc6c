"""Cross-attention that reads one context inside a region and another outside it.

    O_i = R_i * Attn(Q_i, inside) + (1 - R_i) * Attn(Q_i, outside)

and with several regions, each with a context of its own,

    O_i = sum_k R_ki * Attn(Q_i, c_k) + (1 - sum_k R_ki) * Attn(Q_i, outside)

Two contexts are mixed by region, rather than one token's column masked, because CLIP text is causal: every token after
the placeholder carries its content too, so masking a column leaks.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from torch import Tensor

from spin_bench.diffusion.token_grid import token_grid


class RegionAttnProcessor(AttnProcessor2_0):
    """`encoder_hidden_states` holds all contexts, joined along tokens: [inside the first region | ... | outside]."""

    def __init__(self, region: Tensor):
        super().__init__()
        self.region = region  # (batch or 1, regions, height, width), their sum in [0, 1], latent resolution

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        contexts = encoder_hidden_states.chunk(self.region.shape[1] + 1, dim=1)
        read = super().__call__
        *mixed, rest = [read(attn, hidden_states, context, attention_mask, temb) for context in contexts]
        weight = at_tokens(self.region, hidden_states.shape[1]).to(rest.dtype)
        weight = weight.repeat(len(rest) // len(weight), 1, 1)
        inside = [share * part for share, part in zip(weight.split(1, dim=2), mixed, strict=True)]
        return sum(inside[1:], inside[0]) + (1 - weight.sum(2, keepdim=True)) * rest


def at_tokens(region: Tensor, tokens: int) -> Tensor:
    """Average `region` (N, K, h, w) down to a layer's grid of `tokens` and flatten it to (N, tokens, K)."""
    return F.adaptive_avg_pool2d(region, token_grid(region, tokens)).flatten(2).transpose(1, 2)


def pair(inside: Tensor, outside: Tensor) -> Tensor:
    """Join two contexts (N, tokens, width) for `region_attention`."""
    return torch.cat([inside, outside], dim=1)


def region_attention(unet: UNet2DConditionModel, region: Tensor) -> AbstractContextManager[UNet2DConditionModel]:
    """Within the block every cross-attention layer of `unet` mixes contexts by `region`; then all is as before."""
    return cross_attention(unet, RegionAttnProcessor(region))


@contextmanager
def cross_attention(unet: UNet2DConditionModel, crossing: Any) -> Iterator[UNet2DConditionModel]:
    """Within the block every cross-attention layer of `unet` is computed by the processor `crossing`."""
    before = unet.attn_processors
    unet.set_attn_processor(
        {name: crossing if name.endswith("attn2.processor") else processor for name, processor in before.items()}
    )
    try:
        yield unet
    finally:
        unet.set_attn_processor(before)
