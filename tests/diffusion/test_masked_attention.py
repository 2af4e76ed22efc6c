"""Uni-paint's masked attention against matrices in full."""

from collections.abc import Iterator

import pytest
import torch
from diffusers import UNet2DConditionModel
from torch import nn
from written_out import WrittenOut

from spin_bench.diffusion.attention import Processor
from spin_bench.diffusion.masked_attention import masked_attention
from spin_bench.models.stack import Stack


def _transformer_blocks(unet: UNet2DConditionModel) -> Iterator[tuple[nn.Module, int]]:
    """One block of each resolution, with its tokens on 16 x 16 latents."""
    for depth, block in enumerate(unet.down_blocks):
        yield block.attentions[0].transformer_blocks[0], (16 >> depth) ** 2


@torch.no_grad()
@pytest.mark.parametrize("renormalise", [False, True])
def test_masked_attention_is_the_formula(renormalise: bool, stack: Stack):
    torch.manual_seed(1)
    mask = torch.rand(64, 64)
    written = WrittenOut(mask, renormalise=renormalise)
    for block, tokens in _transformer_blocks(stack.unet):
        hidden, context = torch.randn(2, tokens, block.attn1.to_q.in_features), torch.randn(2, 9, 128)
        with masked_attention(stack.unet, mask[None, None], renormalise=renormalise):
            itself, crossed = block.attn1(hidden), block.attn2(hidden, encoder_hidden_states=context)
        torch.testing.assert_close(itself, written(block.attn1, hidden), atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(crossed, written(block.attn2, hidden, context), atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_every_block_is_masked_and_then_as_before(stack: Stack):
    torch.manual_seed(2)
    unet, latents, context = stack.unet, torch.randn(1, 4, 16, 16), torch.randn(1, 6, 128)
    before = unet.attn_processors
    other = torch.cat([context[:, :1], torch.randn(1, 5, 128)], 1)
    with masked_attention(unet, torch.zeros(1, 1, 64, 64), renormalise=True):
        assert {type(p) for p in unet.attn_processors.values()} == {Processor}
        first, second = (unet(latents, 500, encoder_hidden_states=c).sample for c in (context, other))
    # Without a foreground the first token alone is read; not renormalised, the others still decide how much of it.
    torch.testing.assert_close(first, second, atol=1e-5, rtol=1e-4)
    plain = unet(latents, 500, encoder_hidden_states=context).sample
    assert (first - plain).abs().max() > 1e-2
    with masked_attention(unet, torch.ones(1, 1, 64, 64)):
        everywhere = unet(latents, 500, encoder_hidden_states=context).sample
    torch.testing.assert_close(everywhere, plain, atol=1e-4, rtol=1e-4)
    with pytest.raises(ValueError, match="no grid of 256"), masked_attention(unet, torch.ones(1, 1, 64, 24)):
        unet(latents, 500, encoder_hidden_states=context)
    assert unet.attn_processors == before
