"""SD-inpaint against diffusers' pipeline called directly, and against its equations written out again."""

import logging
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from diffusers import StableDiffusionInpaintPipeline, UNet2DConditionModel
from PIL import Image
from random_stack import random_stack

from spin_bench.core.case import Case
from spin_bench.core.errors import PaintingError, UserError
from spin_bench.diffusion.latents import to_pictures, to_tensor
from spin_bench.diffusion.text import encode_prompt
from spin_bench.methods.baselines.sd_inpaint import SdInpaintSettings, sd_inpaint
from spin_bench.models.stack import Stack
from spin_bench.store.artefacts import Artefacts

QUICK = SdInpaintSettings(steps=3)
VARIANTS = {
    "published": QUICK,
    "strength": replace(QUICK, steps=4, strength=0.5),
    "blur": replace(QUICK, blur_factor=3),
    "crop": replace(QUICK, padding_mask_crop=4),
    "negative prompt": replace(QUICK, negative_prompt="blurry"),
    "unguided": replace(QUICK, guidance_scale=1.0),
    "four channels": replace(QUICK, unet="text_to_image"),
    "four channels, strength": replace(QUICK, unet="text_to_image", steps=4, strength=0.5),
}


@pytest.fixture(scope="module")
def stack(stack: Stack) -> Stack:
    """The shipped stack, its inpainting UNet made to listen hard to the mask, however it was trained."""

    def listening() -> UNet2DConditionModel:
        unet = stack.loaders.inpaint_unet()
        extra = unet.conv_in.weight.data[:, stack.latent_channels :]
        extra += 0.1 * torch.randn(extra.shape, generator=torch.Generator().manual_seed(0))
        return unet

    return replace(stack, loaders=replace(stack.loaders, inpaint_unet=listening))


def _of_diffusers(stack: Stack, *, unet: str) -> StableDiffusionInpaintPipeline:
    pipeline = StableDiffusionInpaintPipeline(
        vae=stack.vae,
        text_encoder=stack.text_encoder,
        tokenizer=stack.tokenizer,
        unet={"inpaint": stack.inpaint_unet, "text_to_image": stack.unet}[unet],
        scheduler=stack.scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _levels(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture, np.int16)


@pytest.mark.parametrize("name", VARIANTS)
def test_it_is_the_pipeline_of_diffusers(name: str, stack: Stack, cases: list[Case], artefacts: Artefacts):
    settings, case = VARIANTS[name], cases[0]
    pipeline = _of_diffusers(stack, unet=settings.unet)
    mask = pipeline.mask_processor.blur(case.mask, settings.blur_factor) if settings.blur_factor else case.mask
    theirs = pipeline(
        prompt=case.prompt,
        negative_prompt=settings.negative_prompt or None,
        image=case.background,
        mask_image=mask,
        generator=torch.Generator().manual_seed(5),
        height=stack.canvas,
        width=stack.canvas,
        num_inference_steps=settings.steps,
        guidance_scale=settings.guidance_scale,
        strength=settings.strength,
        padding_mask_crop=settings.padding_mask_crop,
    ).images[0]
    ours = sd_inpaint(settings, stack)(case, [5])[0]
    assert ours.tobytes() == theirs.tobytes()
    published = sd_inpaint(replace(QUICK, steps=settings.steps), stack)(case, [5])[0]
    assert (ours.tobytes() == published.tobytes()) == (name == "published")


def test_a_batch_is_the_pipeline_of_diffusers_given_a_copy_an_image(
    stack: Stack, cases: list[Case], artefacts: Artefacts
):
    case, seeds = cases[0], [11, 12, 13]
    theirs = _of_diffusers(stack, unet="inpaint")(
        prompt=[case.prompt] * 3,
        image=[case.background] * 3,
        mask_image=[case.mask] * 3,
        generator=[torch.Generator().manual_seed(seed) for seed in seeds],
        height=stack.canvas,
        width=stack.canvas,
        num_inference_steps=QUICK.steps,
    ).images
    ours = sd_inpaint(QUICK, stack)(case, seeds)
    assert [picture.tobytes() for picture in ours] == [picture.tobytes() for picture in theirs]


@pytest.mark.parametrize("name", ["published", "crop", "four channels"])
def test_an_image_depends_on_its_seed_alone(name: str, stack: Stack, cases: list[Case], artefacts: Artefacts):
    paint = sd_inpaint(VARIANTS[name], stack)
    together = paint(cases[0], [11, 12, 13])
    paint(cases[1], [11])
    alone = paint(cases[0], [12])[0]
    assert np.abs(_levels(together[1]) - _levels(alone)).max() <= 1  # one level: sums in another order
    assert np.abs(_levels(together[0]) - _levels(together[1])).max() > 8
    assert paint(cases[0], [12])[0].tobytes() == alone.tobytes()


@torch.no_grad()
def test_the_four_channel_path_is_its_equations(stack: Stack, cases: list[Case], artefacts: Artefacts):
    """The known latents come back after every step, at the next timestep's level, with the noise of the start."""
    case, seed, steps = cases[0], 21, 8
    settings = SdInpaintSettings(unet="text_to_image", steps=steps)
    painted = sd_inpaint(settings, stack)(case, [seed])[0]

    generator = torch.Generator().manual_seed(seed)
    alphas = torch.cumprod(1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2, 0)
    mask = F.interpolate(torch.from_numpy(np.asarray(case.mask) > 127).float()[None, None], (16, 16))
    posterior = stack.vae.encode(to_tensor(case.background)).latent_dist
    drawn = torch.randn(posterior.mean.shape, generator=generator)
    z0 = (posterior.mean + posterior.std * drawn) * stack.vae.config.scaling_factor
    z = noise = torch.randn(1, 4, 16, 16, generator=generator)
    texts = torch.cat([encode_prompt(stack.tokenizer, stack.text_encoder, text) for text in ("", case.prompt)])
    timesteps = [1 + 125 * i for i in range(steps)][::-1]
    for t, t_next in zip(timesteps, [*timesteps[1:], None], strict=True):
        eps_null, eps_text = stack.unet(torch.cat([z, z]), t, encoder_hidden_states=texts).sample.chunk(2)
        eps = eps_null + 7.5 * (eps_text - eps_null)
        a_now, a_next = alphas[t], alphas[max(t - 125, 0)]
        z = a_next.sqrt() * (z - (1 - a_now).sqrt() * eps) / a_now.sqrt() + (1 - a_next).sqrt() * eps
        known = z0 if t_next is None else alphas[t_next].sqrt() * z0 + (1 - alphas[t_next]).sqrt() * noise
        z = mask * z + (1 - mask) * known
    expected = to_pictures(stack.vae.decode(z / stack.vae.config.scaling_factor).sample)[0]
    assert np.abs(_levels(painted) - _levels(expected)).max() <= 1


def test_pasting_back_keeps_the_known_pixels(stack: Stack, cases: list[Case], artefacts: Artefacts):
    case = cases[0]
    outside = np.asarray(case.mask) == 0
    raw, pasted = (
        _levels(sd_inpaint(settings, stack)(case, [1])[0]) for settings in (QUICK, replace(QUICK, paste_back=True))
    )
    background = _levels(case.background)
    assert np.array_equal(pasted[outside], background[outside])
    assert np.array_equal(pasted[~outside], raw[~outside])
    assert np.abs(raw - background)[outside].max() > 0  # published: the background shifts


def test_the_mask_may_cover_everything_or_one_cell(stack: Stack, cases: list[Case], artefacts: Artefacts):
    everything, cell = Image.new("L", (64, 64), 255), Image.new("L", (64, 64))
    cell.paste(255, (8, 8, 12, 12))
    paint = sd_inpaint(replace(QUICK, steps=1), stack)
    for mask in (everything, cell):
        picture = paint(replace(cases[0], mask=mask), [1])[0]
        assert picture.size == (64, 64)
        assert _levels(picture).std() > 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("unet", ["inpaint", "text_to_image"])
def test_it_runs_in_the_layout_of_stable_diffusion(
    dtype: torch.dtype, unet: str, cases: list[Case], artefacts: Artefacts
):
    stack = random_stack(dtype)
    size = (stack.canvas, stack.canvas)
    large = replace(cases[0], background=cases[0].background.resize(size), mask=cases[0].mask.resize(size))
    seen = set()
    chosen = {"inpaint": stack.inpaint_unet, "text_to_image": stack.unet}[unet]
    chosen.register_forward_pre_hook(lambda _, inputs: seen.add((*inputs[0].shape[1:], inputs[0].dtype)))
    paint = sd_inpaint(replace(QUICK, steps=2, unet=unet), stack)
    pictures = paint(large, [1, 2])
    assert [picture.size for picture in pictures] == [(128, 128)] * 2
    assert seen == {({"inpaint": 9, "text_to_image": 4}[unet], 16, 16, dtype)}


def test_bad_input_is_one_clear_line(stack: Stack, cases: list[Case], artefacts: Artefacts):
    narrow = replace(stack, loaders=replace(stack.loaders, inpaint_unet=stack.loaders.unet))
    for bad, changes, message in (
        (narrow, {}, "reads 4 input channels, not 9: set stack.inpaint"),
        (stack, {"unet": "inpant"}, "did you mean 'inpaint'"),
        (stack, {"strength": 0.0}, "strength=0.0: of 3 steps leaves nothing to run"),
        (stack, {"strength": 0.2}, "strength=0.2: of 3 steps leaves nothing to run"),
    ):
        with pytest.raises(UserError, match=message) as error:
            sd_inpaint(replace(QUICK, **changes), bad)
        assert "\n" not in str(error.value)


def test_a_long_prompt_is_cut_and_its_lost_words_are_named(
    stack: Stack, cases: list[Case], artefacts: Artefacts, caplog: pytest.LogCaptureFixture
):
    paint = sd_inpaint(replace(QUICK, steps=1), stack)
    long = " ".join(["a cat on the grass"] * 9)  # 45 words: all that the window of 48 can hold is 46 tokens
    with caplog.at_level(logging.WARNING):
        kept = paint(replace(cases[0], prompt=f"{long} nice"), [1])[0]
        assert not caplog.records
        cut = paint(replace(cases[0], prompt=f"{long} nice brown dog"), [1])[0]
    assert "lost: brown dog" in caplog.text
    assert cut.tobytes() == kept.tobytes()


def test_a_picture_that_is_not_numbers_fails_its_case(stack: Stack, cases: list[Case], artefacts: Artefacts):
    broken = replace(stack)  # loads modules of its own
    broken.inpaint_unet.conv_out.bias.data[0] = float("nan")
    with pytest.raises(PaintingError, match="NaN"):
        sd_inpaint(replace(QUICK, steps=1), broken)(cases[0], [1])
