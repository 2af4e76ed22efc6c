"""The shared vocabulary against diffusers and against formulas written out."""

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from PIL import Image

from spin_bench.core.case import Case
from spin_bench.core.errors import PaintingError
from spin_bench.datasets.reading import latent_cells
from spin_bench.diffusion.blending import blend_background
from spin_bench.diffusion.guidance import Prediction, classifier_free
from spin_bench.diffusion.latents import decode, encode, latent_mask, mask_to_tensor, to_pictures, to_tensor
from spin_bench.diffusion.noise import NoiseSource
from spin_bench.diffusion.region_attention import at_tokens, pair, region_attention
from spin_bench.diffusion.sampler import ddim, timesteps
from spin_bench.diffusion.text import encode_prompt
from spin_bench.mini.weights import ZOO
from spin_bench.models.config import StackConfig
from spin_bench.models.loading.layouts import bare, build_vae
from spin_bench.models.stack import Stack


@torch.no_grad()
def test_guided_ddim_is_the_pipeline_of_diffusers(stack: Stack):
    pipeline = StableDiffusionPipeline.from_pretrained(ZOO, safety_checker=None)
    pipeline.set_progress_bar_config(disable=True)
    noise = NoiseSource([3, 4], stack.device, stack.dtype).normal(4, 16, 16)
    prompt = "a photo of a cat on the grass"
    theirs = pipeline(
        [prompt] * 2,
        num_inference_steps=6,
        guidance_scale=5.0,
        latents=noise,
        output_type="latent",
        height=64,
        width=64,
    ).images
    null, context = (encode_prompt(stack.tokenizer, stack.text_encoder, text) for text in ("", prompt))
    for step in ddim(classifier_free(stack.unet, null, context, 5.0), stack.scheduler, noise, steps=6):
        ours = step.latents
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_steps_tell_the_noise_level_of_their_latents(stack: Stack):
    states = list(ddim(lambda x, t: Prediction(x, x), stack.scheduler, torch.ones(1, 4, 2, 2), steps=5, skip=2))
    schedule = timesteps(stack.scheduler, 5)
    assert [(s.t, s.t_next) for s in states] == [*zip(schedule[2:], [*schedule[3:], -1], strict=True)]


def test_a_replaced_state_is_what_the_next_step_sees(stack: Stack):
    seen = []

    def predict(latents: torch.Tensor, t: int):
        seen.append(latents.clone())
        return Prediction(latents, latents)

    for step in ddim(predict, stack.scheduler, torch.zeros(1, 4, 2, 2), steps=3):
        step.latents = torch.full_like(step.latents, float(step.index + 7))
    assert [float(x.mean()) for x in seen] == [0.0, 7.0, 8.0]


def test_noise_belongs_to_the_image(stack: Stack):
    together = NoiseSource([5, 6, 7], stack.device, stack.dtype)
    alone = NoiseSource([6], stack.device, stack.dtype)
    for _ in range(2):
        assert torch.equal(together.normal(4, 3, 3)[1:2], alone.normal(4, 3, 3))


def test_blending_puts_the_background_at_the_asked_noise_level():
    scheduler = DDIMScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012)
    inside, background, noise = (torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(i)) for i in range(3))
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., 2:5] = 1
    for t in (0, 400, 999):
        alpha = scheduler.alphas_cumprod[t]
        expected = torch.where(mask.bool(), inside, alpha.sqrt() * background + (1 - alpha).sqrt() * noise)
        got = blend_background(inside, background, mask, noise, scheduler=scheduler, t=t)
        torch.testing.assert_close(got, expected)
    clean = blend_background(inside, background, mask, noise, scheduler=scheduler, t=-1)
    assert torch.equal(clean[..., 5:], background[..., 5:])


def _attention(query, context, attn):
    """Softmax attention of one layer written out, heads and all."""
    q, k, v = attn.to_q(query), attn.to_k(context), attn.to_v(context)
    split = [x.unflatten(-1, (attn.heads, -1)).transpose(1, 2) for x in (q, k, v)]
    weights = (split[0] @ split[1].transpose(-1, -2) / split[0].shape[-1] ** 0.5).softmax(-1)
    return attn.to_out[0]((weights @ split[2]).transpose(1, 2).flatten(2))


@torch.no_grad()
def test_region_attention_is_the_formula(small_unet: UNet2DConditionModel):
    torch.manual_seed(1)
    attn = small_unet.down_blocks[0].attentions[0].transformer_blocks[0].attn2
    query, inside, outside = torch.randn(2, 16, 16), torch.randn(2, 5, 12), torch.randn(2, 5, 12)
    region = torch.rand(1, 1, 8, 8)
    with region_attention(small_unet, region):
        got = attn(query, encoder_hidden_states=pair(inside, outside))
    weight = region.unfold(2, 2, 2).unfold(3, 2, 2).mean((-1, -2)).flatten(2).transpose(1, 2)
    expected = weight * _attention(query, inside, attn) + (1 - weight) * _attention(query, outside, attn)
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_a_full_region_is_plain_attention_and_leaves_no_trace(small_unet: UNet2DConditionModel):
    torch.manual_seed(2)
    latents, inside, outside = torch.randn(2, 4, 8, 8), torch.randn(2, 5, 12), torch.randn(2, 5, 12)
    before = small_unet.attn_processors
    for region, context in ((torch.ones(1, 1, 8, 8), inside), (torch.zeros(1, 1, 8, 8), outside)):
        with region_attention(small_unet, region):
            got = small_unet(latents, 10, encoder_hidden_states=pair(inside, outside)).sample
        torch.testing.assert_close(got, small_unet(latents, 10, encoder_hidden_states=context).sample)
    with pytest.raises(RuntimeError), region_attention(small_unet, torch.ones(1, 1, 8, 8)):
        raise RuntimeError
    assert small_unet.attn_processors == before


def test_a_region_must_fit_the_layer():
    assert at_tokens(torch.ones(1, 1, 8, 16), 32).shape == (1, 32, 1)
    with pytest.raises(ValueError, match="no grid of 15"):
        at_tokens(torch.ones(1, 1, 8, 8), 15)


def test_pictures_survive_the_way_to_tensors_and_back(cases: list[Case]):
    for case in cases:
        assert to_pictures(to_tensor(case.background))[0].tobytes() == case.background.tobytes()
        assert set(mask_to_tensor(case.mask).unique().tolist()) == {0.0, 1.0}


def test_encoding_has_no_seed_and_decoding_comes_close(stack: Stack, cases: list[Case]):
    image = to_tensor(cases[0].background)
    latents = encode(stack.vae, image)
    assert torch.equal(latents, encode(stack.vae, image))
    error = (decode(stack.vae, latents).clamp(-1, 1) - image).pow(2).mean() / 4
    assert -10 * torch.log10(error) > 24
    assert latent_mask(cases[0].mask, stack.vae).shape == (1, 1, stack.latent_side, stack.latent_side)


def test_a_mask_between_the_cells_is_refused_as_the_validation_counts_them(stack: Stack):
    rng = np.random.default_rng(0)
    empty = 0
    for _ in range(200):
        left, top = rng.integers(0, 60, 2)
        mask = Image.new("L", (64, 64))
        mask.paste(255, (left, top, left + rng.integers(1, 5), top + rng.integers(1, 5)))
        cells = latent_cells(mask, StackConfig("mini", 64).latent_cell)
        if cells:
            assert latent_mask(mask, stack.vae).sum() == cells
        else:
            empty += 1
            with pytest.raises(PaintingError, match="the mask has no cell of the 16x16 that are painted: widen it"):
                latent_mask(mask, stack.vae)
    assert 20 < empty < 180


def test_a_latent_cell_is_what_the_autoencoders_make_it(stack: Stack):
    assert StackConfig("mini", 64).latent_cell == stack.canvas // stack.latent_side
    with bare():
        assert StackConfig("sd14", 512, layout="sd1").latent_cell == 2 ** (
            len(build_vae().config.block_out_channels) - 1
        )
