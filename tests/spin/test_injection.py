"""Rules of injection against their equations, every matrix written out."""

from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from spin_bench.diffusion.attention import attention_by
from spin_bench.diffusion.blending import softened
from spin_bench.diffusion.region_attention import region_attention
from spin_bench.spin.injection import INJECTIONS, injection

SLOTS = slice(2, 4)


@dataclass
class ByHand:
    """Cross-attention head by head; a rule alters the scores of the positive half, or the weights of both."""

    region: Tensor  # (1, 1, 8, 8)
    rule: str

    def __call__(self, attn, hidden_states, encoder_hidden_states):
        side = int(hidden_states.shape[1] ** 0.5)
        inside = F.avg_pool2d(self.region, self.region.shape[-1] // side).flatten()
        width = attn.to_q.out_features // attn.heads
        heads = []
        for head in range(attn.heads):
            rows = slice(head * width, (head + 1) * width)
            q, k, v = (x @ layer.weight[rows].T for x, layer in
                       ((hidden_states, attn.to_q), (encoder_hidden_states, attn.to_k),
                        (encoder_hidden_states, attn.to_v)))  # fmt: skip
            scores = torch.einsum("nid,njd->nij", q, k) / width**0.5
            if self.rule == "token_column":
                for n in range(len(scores) // 2, len(scores)):
                    scores[n, inside == 0, SLOTS] = -torch.inf
            weights = scores.softmax(2)
            if self.rule == "after_softmax":
                weights[:, :, 1:] = weights[:, :, 1:] * inside[None, :, None]
            heads.append(torch.einsum("nij,njd->nid", weights, v))
        return torch.cat(heads, 2) @ attn.to_out[0].weight.T + attn.to_out[0].bias


@pytest.fixture
def inputs():
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(4, 4, 8, 8, generator=generator)
    contexts = [torch.randn(4, 5, 12, generator=generator) for _ in range(3)]
    region = torch.zeros(1, 1, 8, 8)
    region[..., :4] = 1
    return latents, contexts, region


def _read(unet, latents, context, attend) -> Tensor:
    with torch.no_grad(), attention_by(unet, across=attend):
        return unet(latents, 500, encoder_hidden_states=context).sample


@pytest.mark.parametrize("rule", ["token_column", "after_softmax"])
def test_a_rule_is_its_equation(rule: str, small_unet, inputs):
    latents, (context, other, _), region = inputs
    before = small_unet.attn_processors
    joined = INJECTIONS[rule].contexts([context], other)
    assert torch.equal(joined, context)  # one context: the outside has none of its own
    found = _read(small_unet, latents, joined, injection(region, SLOTS, rule=rule, grids="all"))
    torch.testing.assert_close(found, _read(small_unet, latents, context, ByHand(region, rule)), atol=1e-5, rtol=1e-4)
    assert not torch.allclose(found, _read(small_unet, latents, context, ByHand(region, "none")), atol=1e-3)
    assert small_unet.attn_processors == before


def test_two_contexts_are_the_region_attention(small_unet, inputs):
    latents, (inside, outside, _), region = inputs
    joined = INJECTIONS["two_contexts"].contexts([inside], outside)
    attend = injection(region, SLOTS, rule="two_contexts", grids="all")
    with torch.no_grad(), region_attention(small_unet, region):
        expected = small_unet(latents, 500, encoder_hidden_states=torch.cat([inside, outside], 1)).sample
    assert torch.equal(_read(small_unet, latents, joined, attend), expected)


def test_several_regions_read_a_context_each(small_unet, inputs):
    """Of one cross-attention layer: every query reads the context of its own region, and the outside elsewhere."""
    _, contexts, left = inputs
    attn = next(m for name, m in small_unet.named_modules() if name.endswith("attn2"))
    hidden = torch.randn(4, 64, attn.to_q.in_features, generator=torch.Generator().manual_seed(1))
    corner = torch.zeros_like(left)
    corner[..., 4:, 6:] = 1
    joined = INJECTIONS["two_contexts"].contexts(contexts[:2], contexts[2])
    attend = injection(torch.cat([left, corner], 1), SLOTS, rule="two_contexts", grids="all")
    with torch.no_grad():
        found = attend(attn, hidden, joined)
        alone = [ByHand(left, "none")(attn, hidden, context) for context in contexts]
    places = (left.flatten() == 1, corner.flatten() == 1, (left + corner).flatten() == 0)
    assert [int(place.sum()) for place in places] == [32, 8, 24]
    for place, expected in zip(places, alone, strict=True):
        torch.testing.assert_close(found[:, place], expected[:, place], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("grids", "heard"), [("all", (True, True)), ("fine", (True, False)), ("coarse", (False, True))]
)
def test_grids_choose_layers(grids: str, heard: tuple[bool, bool], small_unet, inputs):
    """Layers that are not chosen read the outside alone."""
    _, (inside, outside, _), region = inputs
    joined = torch.cat([inside, outside], 1)
    attn = next(m for name, m in small_unet.named_modules() if name.endswith("attn2"))
    generator = torch.Generator().manual_seed(1)
    attend = injection(torch.ones_like(region), SLOTS, rule="two_contexts", grids=grids)
    for tokens, chosen in zip((64, 16), heard, strict=True):
        hidden = torch.randn(4, tokens, attn.to_q.in_features, generator=generator)
        with torch.no_grad():
            found = attend(attn, hidden, joined)
            expected = ByHand(region, "none")(attn, hidden, inside if chosen else outside)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_a_region_that_is_silenced_in_place_injects_nothing(small_unet, inputs):
    latents, (inside, outside, _), region = inputs
    joined, place = torch.cat([inside, outside], 1), region.clone()
    attend = injection(place, SLOTS, rule="two_contexts", grids="all")
    place.zero_()
    silent = _read(small_unet, latents, joined, attend)
    torch.testing.assert_close(
        silent, _read(small_unet, latents, outside, ByHand(region, "none")), atol=1e-5, rtol=1e-4
    )


def test_soft_edges_keep_the_weight_and_spread_it():
    region = torch.zeros(1, 1, 16, 16)
    region[..., 5:11, 5:11] = 1
    soft = softened(region, 1.0)
    assert soft.sum().item() == pytest.approx(36, rel=1e-3)
    assert 0.4 < soft[0, 0, 8, 5] < 1
    assert 0 < soft[0, 0, 8, 4] < 0.5
    assert soft[0, 0, 8, 8] > 0.98
    assert torch.equal(softened(region, 0), region)
    assert torch.allclose(softened(torch.ones(1, 1, 8, 8), 2.0), torch.ones(1, 1, 8, 8))
