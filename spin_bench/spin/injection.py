"""Rules of cross-attention that keep the embedding to its region while painting, and the layers that follow them.

With S = Q K^T / sqrt(d) the scores of query i and token j, A their softmax, R the region at the layer's resolution:

    two_contexts   O_i = R_i Attn(Q_i, c_in) + (1 - R_i) Attn(Q_i, c_out)
    token_column   S_ij + log R_i for the tokens j that the embedding fills, before the softmax and in the conditional
                   half alone: PrimeComposer's rule (Wang et al. 2024) where R is 0 or 1
    after_softmax  A_ij R_i for every token but the first, not renormalised, in both halves: Uni-paint's rule

The last two have one context: outside the region, too, nothing but their own text is read.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from diffusers.models.attention_processor import Attention
from torch import Tensor

from spin_bench.diffusion.attention import Attend
from spin_bench.diffusion.masked_attention import cross_control, masked_by
from spin_bench.diffusion.region_attention import at_tokens, mixed_by


def hidden_outside(region: Tensor, slots: slice) -> Attend:
    """Attention whose tokens `slots` are hidden outside `region` (1, 1, h, w); a batch is [negative | positive]."""

    def attend(attn: Attention, hidden_states: Tensor, context: Tensor) -> Tensor:
        query, key, value = (
            part.unflatten(2, (attn.heads, -1)).transpose(1, 2)
            for part in (attn.to_q(hidden_states), attn.to_k(context), attn.to_v(context))
        )
        bias = query.new_zeros(len(query), 1, query.shape[2], key.shape[2])
        bias[len(query) // 2 :, 0, :, slots] = at_tokens(region, query.shape[2]).log().to(bias.dtype)
        read = F.scaled_dot_product_attention(query, key, value, attn_mask=bias).transpose(1, 2).flatten(2)
        project, dropout = attn.to_out
        return dropout(project(read))

    return attend


@dataclass(frozen=True)
class Rule:
    """`contexts` joins what the regions and the outside read; `attend` takes the region and the filled tokens."""

    contexts: Callable[[list[Tensor], Tensor], Tensor]
    attend: Callable[[Tensor, slice], Attend]
    several: bool = False  # it can serve several regions


INJECTIONS: dict[str, Rule] = {
    "two_contexts": Rule(
        contexts=lambda inside, outside: torch.cat([*inside, outside], dim=1),
        attend=lambda region, slots: mixed_by(region),
        several=True,
    ),
    "token_column": Rule(contexts=lambda inside, outside: inside[0], attend=hidden_outside),
    "after_softmax": Rule(
        contexts=lambda inside, outside: inside[0],
        attend=lambda region, slots: masked_by(region, cross_control, renormalise=False),
    ),
}

# (width of a layer's cells, in latent cells) to whether the embedding is injected there
GRIDS: dict[str, Callable[[int], bool]] = {
    "all": lambda width: True,
    "fine": lambda width: width == 1,
    "coarse": lambda width: width > 1,
}


def injection(region: Tensor, slots: slice, *, rule: str, grids: str) -> Attend:
    """Cross-attention that injects into `region` (1, K, h, w), which may be altered in place between steps.

    Layers outside `grids` read as if the region were empty.
    """
    inject = INJECTIONS[rule].attend(region, slots)
    if grids == "all":
        return inject
    silent = INJECTIONS[rule].attend(torch.zeros_like(region), slots)
    cells = region.shape[-2] * region.shape[-1]

    def attend(attn: Attention, hidden_states: Tensor, context: Tensor) -> Tensor:
        width = round((cells / hidden_states.shape[1]) ** 0.5)
        return (inject if GRIDS[grids](width) else silent)(attn, hidden_states, context)

    return attend
