"""Attention layers of a UNet that functions of ours compute, for as long as a block lasts."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention
from torch import Tensor

# (layer, hidden states (N, queries, width), what they read (N, keys, width')) to hidden states (N, queries, width)
Attend = Callable[[Attention, Tensor, Tensor], Tensor]


class Processor:
    """What diffusers calls to compute a layer, over an `Attend`; without another context a layer reads itself."""

    def __init__(self, attend: Attend):
        self.attend = attend

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
    ) -> Tensor:
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        return self.attend(attn, hidden_states, context)


@contextmanager
def attention_by(
    unet: UNet2DConditionModel, *, across: Attend, within: Attend | None = None
) -> Iterator[UNet2DConditionModel]:
    """`across` computes every cross-attention layer of `unet` in the block; `within`, if given, every self-attention.

    After the block, also after an error in it, every layer has the processor that it had before.
    """
    before = unet.attn_processors
    ours = {"attn1.processor": within, "attn2.processor": across}
    attends = {name: ours.get(".".join(name.split(".")[-2:])) for name in before}
    unet.set_attn_processor(
        {name: Processor(attend) if (attend := attends[name]) else processor for name, processor in before.items()}
    )
    try:
        yield unet
    finally:
        unet.set_attn_processor(before)
