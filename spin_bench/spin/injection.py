"""How the embedding is kept to its region when painting: rules for cross-attention, and where and when they apply.

With S = Q K^T / sqrt(d) the scores of query i and token j, A their softmax, R the region at the layer's resolution:

    two_contexts   O_i = R_i Attn(Q_i, c_in) + (1 - R_i) Attn(Q_i, c_out)
    token_column   S_ij + log R_i for the tokens j that the embedding fills, before the softmax and in the conditional
                   half alone: PrimeComposer's rule (Wang et al. 2024) where R is 0 or 1
    after_softmax  A_ij R_i for every token but the first, not renormalised, in both halves: Uni-paint's rule

The last two have one context, so that nothing but their own prompt is read outside.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from diffusers.models.attention_processor import Attention
from torch import Tensor

from spin_bench.diffusion.masked_attention import MaskedAttnProcessor, cross_control
from spin_bench.diffusion.region_attention import RegionAttnProcessor, at_tokens


class TokenColumnAttnProcessor:
    """Cross-attention whose tokens `slots` are hidden outside the region; a batch is [negative | positive]."""

    def __init__(self, region: Tensor, slots: slice):
        self.region, self.slots = region, slots

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        query, key, value = (
            part.unflatten(2, (attn.heads, -1)).transpose(1, 2)
            for part in (attn.to_q(hidden_states), attn.to_k(encoder_hidden_states), attn.to_v(encoder_hidden_states))
        )
        bias = query.new_zeros(len(query), 1, query.shape[2], key.shape[2])
        bias[len(query) // 2 :, 0, :, self.slots] = at_tokens(self.region, query.shape[2]).log().to(bias.dtype)
        read = F.scaled_dot_product_attention(query, key, value, attn_mask=bias).transpose(1, 2).flatten(2)
        project, dropout = attn.to_out
        return dropout(project(read))


@dataclass(frozen=True)
class Rule:
    """`contexts` joins what the regions and the outside read; `processor` takes the region and the filled tokens."""

    contexts: Callable[[list[Tensor], Tensor], Tensor]
    processor: Callable[[Tensor, slice], Any]
    only_slots: bool = False  # it needs tokens that the embedding fills
    several: bool = False  # it can serve several regions


INJECTIONS: dict[str, Rule] = {
    "two_contexts": Rule(
        contexts=lambda inside, outside: torch.cat([*inside, outside], dim=1),
        processor=lambda region, slots: RegionAttnProcessor(region),
        several=True,
    ),
    "token_column": Rule(
        contexts=lambda inside, outside: inside[0], processor=TokenColumnAttnProcessor, only_slots=True
    ),
    "after_softmax": Rule(
        contexts=lambda inside, outside: inside[0],
        processor=lambda region, slots: MaskedAttnProcessor(region, cross_control, renormalise=False),
    ),
}

# Whether a layer whose cells are so many latent cells wide takes part.
GRIDS: dict[str, Callable[[int], bool]] = {
    "all": lambda width: True,
    "fine": lambda width: width == 1,
    "coarse": lambda width: width > 1,
}


class OnGrids:
    """One processor for the layers of the chosen grids, another for the rest."""

    def __init__(self, cells: int, chosen: Callable[[int], bool], processor: Any, other: Any):
        self.cells, self.chosen, self.processor, self.other = cells, chosen, processor, other

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        width = round((self.cells / hidden_states.shape[1]) ** 0.5)
        processor = self.processor if self.chosen(width) else self.other
        return processor(attn, hidden_states, encoder_hidden_states, attention_mask, temb)


def injection_processor(region: Tensor, slots: slice, *, rule: str, grids: str) -> Any:
    """The processor of every cross-attention layer; `region` (1, K, h, w) may be altered in place between steps."""
    processor = INJECTIONS[rule].processor(region, slots)
    if grids == "all":
        return processor
    silent = INJECTIONS[rule].processor(torch.zeros_like(region), slots)
    return OnGrids(region.shape[-2] * region.shape[-1], GRIDS[grids], processor, silent)
