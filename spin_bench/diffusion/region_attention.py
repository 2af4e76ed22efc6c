"""Cross-attention that reads one context inside a region and another outside it.

    O_i = R_i * Attn(Q_i, inside) + (1 - R_i) * Attn(Q_i, outside)

Two contexts are mixed by region, rather than one token's column masked, because CLIP text is causal: every token after
the placeholder carries its content too, so masking a column leaks.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from torch import Tensor


class RegionAttnProcessor(AttnProcessor2_0):
    """`encoder_hidden_states` holds both contexts, concatenated along tokens: [inside | outside]."""

    def __init__(self, region: Tensor):
        super().__init__()
        self.region = region  # (batch or 1, 1, height, width) in [0, 1], latent resolution

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        inside, outside = encoder_hidden_states.chunk(2, dim=1)
        mixed = super().__call__(attn, hidden_states, inside, attention_mask, temb)
        rest = super().__call__(attn, hidden_states, outside, attention_mask, temb)
        weight = at_tokens(self.region, hidden_states.shape[1]).to(mixed.dtype)
        weight = weight.repeat(len(mixed) // len(weight), 1, 1)
        return weight * mixed + (1 - weight) * rest


def at_tokens(region: Tensor, tokens: int) -> Tensor:
    """Average `region` (N, 1, h, w) down to a layer's grid of `tokens` and flatten it to (N, tokens, 1)."""
    height, width = region.shape[-2:]
    shrink = (height * width / tokens) ** 0.5
    grid = (round(height / shrink), round(width / shrink))
    if grid[0] * grid[1] != tokens:
        raise ValueError(f"a region of {height}x{width} has no grid of {tokens} tokens with its aspect")
    return F.adaptive_avg_pool2d(region, grid).flatten(2).transpose(1, 2)


def pair(inside: Tensor, outside: Tensor) -> Tensor:
    """Join two contexts (N, tokens, width) for `region_attention`."""
    return torch.cat([inside, outside], dim=1)


@contextmanager
def region_attention(unet: UNet2DConditionModel, region: Tensor) -> Iterator[UNet2DConditionModel]:
    """Within the block every cross-attention layer of `unet` mixes two contexts by `region`; then all is as before."""
    before = unet.attn_processors
    unet.set_attn_processor(
        {
            name: RegionAttnProcessor(region) if name.endswith("attn2.processor") else processor
            for name, processor in before.items()
        }
    )
    try:
        yield unet
    finally:
        unet.set_attn_processor(before)
