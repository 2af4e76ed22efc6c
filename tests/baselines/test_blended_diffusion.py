"""Blended Diffusion against its equations."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import open_clip
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from random_stack import CANVAS, random_stack
from small_pixels import seeded_noise

from spin_bench.core.case import Case
from spin_bench.core.errors import PaintingError, UserError
from spin_bench.core.identity import derive_seed
from spin_bench.diffusion.augment import augmented
from spin_bench.diffusion.latents import mask_to_tensor, to_pictures, to_tensor
from spin_bench.diffusion.noise import NoiseSource
from spin_bench.diffusion.pixel_sampler import estimate, respaced
from spin_bench.methods.baselines.blended_diffusion import (
    DISTANCE,
    BlendedDiffusionSettings,
    blended_diffusion,
    guidance_energy,
    rank_features,
    spherical_distance,
)
from spin_bench.models.open_clip_model import OpenClipModel
from spin_bench.models.stack import Stack
from spin_bench.store.artefacts import Artefacts

BD = BlendedDiffusionSettings(steps=4, aug_num=3)  # the defaults, but for what costs time


def _difference(a: Image.Image, b: Image.Image) -> int:
    return int(np.abs(np.asarray(a, np.int16) - np.asarray(b, np.int16)).max())


def _masked(case: Case, mask: Image.Image) -> Case:
    return replace(case, mask=mask)


# --- the guidance


def test_the_distance_is_half_the_squared_angle():
    angles = torch.tensor([0.0, 0.3, math.pi / 2, 3.0])
    vectors = torch.stack([angles.cos(), angles.sin(), torch.zeros(4)], 1)
    torch.testing.assert_close(spherical_distance(vectors, vectors[:1]), angles**2 / 2, atol=1e-6, rtol=1e-4)


def _task(stack: Stack, case: Case) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    side = stack.pixel.unet.config.sample_size
    with torch.no_grad():
        return to_tensor(case.background, side), mask_to_tensor(case.mask, side), stack.clip.encode_text([case.prompt])


@pytest.mark.parametrize("background_loss", [False, True])
def test_the_guidance_gradient_is_a_finite_difference(background_loss: bool, stack: Stack, cases: list[Case]):
    settings = replace(BD, background_preservation_loss=background_loss)
    task, t = _task(stack, cases[0]), 300
    alpha = float(stack.pixel.scheduler.alphas_cumprod[t])
    x = alpha**0.5 * task[0] + (1 - alpha) ** 0.5 * seeded_noise(3, 1, *task[0].shape[1:])

    def energy():
        """A fresh one draws the same views."""
        return guidance_energy(settings, stack, *task, NoiseSource([4], stack.device, torch.float32))

    @torch.no_grad()
    def value(x_t: torch.Tensor) -> float:
        x0_pred = alpha**0.5 * x_t - (1 - alpha) ** 0.5 * stack.pixel.unet(x_t, t).sample  # it predicts velocity
        return float(energy()(x_t, x0_pred, t))

    descent = estimate(stack.pixel, x, t, energy()).descent
    assert descent is not None
    blurred = F.avg_pool2d(descent, 5, stride=1, padding=2)  # a direction that is not the gradient
    for direction in (descent / descent.norm(), blurred / blurred.norm()):
        slope = (value(x + 0.005 * direction) - value(x - 0.005 * direction)) / 0.01
        assert slope == pytest.approx(-float((descent * direction).sum()), rel=0.01)


@pytest.fixture
def guided(stack: Stack) -> Stack:
    """A guide with the published mean and deviation; the embedded one's, 0.5 each, leave nothing to take out."""
    model, tokenise = stack.clip._model, stack.clip._tokenise
    mean, std = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
    guide = OpenClipModel(model, tokenise, name="guide", mean=mean, std=std, device=stack.device)
    return replace(stack, loaders=replace(stack.loaders, guide=lambda: guide))


@torch.no_grad()
@pytest.mark.parametrize("resample_once", [False, True])
def test_the_guidance_looks_at_the_views_as_clip_looks_at_pictures(
    resample_once: bool, guided: Stack, cases: list[Case]
):
    """CLIP's mean and deviation are taken out before and after resampling; the same as out of every finished view."""
    stack = guided
    picture, mask, prompt = _task(stack, cases[0])
    x_t, x0_pred, t = seeded_noise(1, 2, *picture.shape[1:]), seeded_noise(2, 2, *picture.shape[1:]), 500
    settings = replace(BD, aug_num=6, resample_once=resample_once, range_lambda=0.0)
    source = NoiseSource([4, 5], stack.device, torch.float32)
    found = guidance_energy(settings, stack, picture, mask, prompt, source)(x_t, x0_pred, t)

    share = (1 - float(stack.pixel.scheduler.alphas_cumprod[t])) ** 0.5
    seen = (share * x0_pred + (1 - share) * x_t) * mask
    generators = NoiseSource([4, 5], stack.device, torch.float32).generators
    views = augmented(seen, generators, copies=6, side=stack.guide.side, resample_once=resample_once)
    distances = torch.stack([spherical_distance(stack.guide.encode_image(view), prompt) for view in views])
    torch.testing.assert_close(found, 1000 * distances.mean(0), atol=0.1, rtol=1e-4)


@torch.no_grad()
def test_the_background_losses_compare_with_the_unmasked_picture(stack: Stack, cases: list[Case]):
    picture, mask, prompt = _task(stack, cases[0])
    x_t, x0_pred, t = seeded_noise(1, 2, *picture.shape[1:]), seeded_noise(2, 2, *picture.shape[1:]), 500

    def value(settings: BlendedDiffusionSettings) -> torch.Tensor:
        source = NoiseSource([4, 5], stack.device, torch.float32)
        return guidance_energy(settings, stack, picture, mask, prompt, source)(x_t, x0_pred, t)

    share = (1 - float(stack.pixel.scheduler.alphas_cumprod[t])) ** 0.5
    outside = (share * x0_pred + (1 - share) * x_t) * (1 - mask)
    target = picture.repeat(2, 1, 1, 1)
    expected = 1000 * stack.perceptual(outside, target) + 10000 * ((outside - target) ** 2).mean((1, 2, 3))
    added = value(replace(BD, background_preservation_loss=True)) - value(BD)
    torch.testing.assert_close(added, expected, atol=1e-2, rtol=1e-4)


@torch.no_grad()
def test_the_ranking_leaves_out_the_normalisation(guided: Stack, cases: list[Case]):
    stack, guide = guided, guided.guide
    picture, mask, _ = _task(stack, cases[0])
    seen = F.interpolate((picture + 1) / 2 * mask, (guide.side, guide.side), mode="bilinear")
    expected = guide._model.encode_image(seen, normalize=True)
    torch.testing.assert_close(rank_features(stack, picture, mask, normalised=False), expected, atol=1e-5, rtol=1e-4)
    usual = rank_features(stack, picture, mask, normalised=True)
    torch.testing.assert_close(usual, guide.encode_image(2 * seen - 1), atol=1e-5, rtol=1e-4)


# --- the painter


@contextmanager
def _watched(stack: Stack) -> Iterator[list[tuple[torch.Tensor, int]]]:
    """Collects what the pixel-space network is shown, (batch, 3, side, side), and when."""
    seen: list[tuple[torch.Tensor, int]] = []
    handle = stack.pixel.unet.register_forward_pre_hook(lambda _, inputs: seen.append((inputs[0].detach(), inputs[1])))
    try:
        yield seen
    finally:
        handle.remove()


def test_blended_is_its_equations(stack: Stack, cases: list[Case], artefacts: Artefacts):
    """With the clean view alone, every step from the state before it; over many steps guidance magnifies rounding."""
    case, seed, steps = cases[0], 21, 5
    settings = replace(BD, steps=steps, aug_num=1, enforce_background=False)
    with _watched(stack) as seen:
        painted = blended_diffusion(settings, stack)(case, [seed])[0]

    x_init, mask, text = _task(stack, case)
    shape = x_init.shape[1:]
    own, shared = (torch.Generator().manual_seed(s) for s in (seed, derive_seed(0, case.digest, 0)))
    a = stack.pixel.scheduler.alphas_cumprod
    times = [round(i * 999 / (steps - 1)) for i in range(steps)][::-1][1:]  # a quarter of the steps is skipped
    expected = a[times[0]].sqrt() * x_init + (1 - a[times[0]]).sqrt() * torch.randn(shape, generator=own)
    for (x, when), t, t_next in zip(seen, times, [*times[1:], -1], strict=True):  # the batch is filled by its last seed
        assert when == t
        # rounding moves single units of CLIP over their kink, and with them the gradient by some thousandths
        assert (x - expected).flatten(1).norm(dim=1).max() < 1e-2 * expected.norm()
        x = x.clone().requires_grad_()
        x0 = a[t].sqrt() * x - (1 - a[t]).sqrt() * stack.pixel.unet(x, t).sample  # it predicts velocity
        w = (1 - a[t]).sqrt()
        doubled = ((w * x0 + (1 - w) * x) * mask).repeat_interleave(2, 2).repeat_interleave(2, 3)  # 32 to CLIP's 64 px
        u = stack.clip.encode_image(doubled.contiguous(memory_format=torch.channels_last))
        loss = 1000 * 2 * torch.arcsin((u - text).norm(dim=1) / 2) ** 2
        loss = loss + 50 * (x0 - x0.clamp(-1, 1)).pow(2).mean((1, 2, 3))
        g = -torch.autograd.grad(loss.sum(), x)[0]
        x, x0 = x.detach(), x0.detach()
        if t_next >= 0:
            beta = 1 - a[t] / a[t_next]
            s = beta * (1 - a[t_next]) / (1 - a[t])
            mu = (a[t_next].sqrt() * beta * x0 + (a[t] / a[t_next]).sqrt() * (1 - a[t_next]) * x) / (1 - a[t])
            moved = mu + s * g + s.sqrt() * torch.randn(shape, generator=own)
            fresh = torch.randn(shape, generator=shared)
            expected = moved * mask + (a[t].sqrt() * x_init + (1 - a[t]).sqrt() * fresh) * (1 - mask)
            expected = expected[:1]
    last = to_pictures(x0)[0].resize((64, 64), Image.Resampling.LANCZOS)
    assert _difference(painted, last) <= 2  # a level before the enlargement, which overshoots


@pytest.mark.parametrize("shared", [True, False])
def test_the_network_sees_the_noised_background_outside_the_mask(
    shared: bool, stack: Stack, cases: list[Case], artefacts: Artefacts
):
    case = cases[0]
    with _watched(stack) as seen:
        blended_diffusion(replace(BD, shared_background_noise=shared), stack)(case, [1, 2])
    picture, mask, _ = _task(stack, case)
    outside = (mask == 0)[0, 0]
    generator = torch.Generator().manual_seed(derive_seed(0, case.digest, 0))
    times = respaced(stack.pixel.scheduler, 4)[1:]
    assert [t for _, t in seen] == times
    for (x, _), t in zip(seen[1:], times[:-1], strict=True):  # quirk: at the level of the step before
        alpha = stack.pixel.scheduler.alphas_cumprod[t]
        noise = torch.randn(picture.shape[1:], generator=generator)
        expected = (alpha.sqrt() * picture + (1 - alpha).sqrt() * noise)[0]
        assert shared == torch.equal(x[0][:, outside], x[1][:, outside])
        if shared:
            torch.testing.assert_close(x[0][:, outside], expected[:, outside], atol=1e-6, rtol=1e-6)
        assert not torch.equal(x[0][:, ~outside], x[1][:, ~outside])


def test_nothing_changes_outside_the_mask(stack: Stack, cases: list[Case], artefacts: Artefacts):
    for enforce in (True, False):
        paint, case = blended_diffusion(replace(BD, enforce_background=enforce), stack), cases[0]
        painted, before, outside = (np.asarray(x) for x in (paint(case, [1])[0], case.background, case.mask))
        outside = outside == 0
        assert np.array_equal(painted[outside], before[outside]) == enforce
        assert not np.array_equal(painted[~outside], before[~outside])


@pytest.mark.parametrize(
    "settings",
    [BD, replace(BD, ddim=True), replace(BD, shared_background_noise=False)],
    ids=["ddpm", "ddim", "own noise"],
)
def test_an_image_depends_on_its_seed_alone(
    settings: BlendedDiffusionSettings, stack: Stack, cases: list[Case], artefacts: Artefacts
):
    paint = blended_diffusion(settings, stack)
    weights = [p.clone() for p in stack.pixel.unet.parameters()]
    together = paint(cases[0], [11, 12, 13])
    paint(cases[1], [11])
    alone = paint(cases[0], [12])
    assert _difference(together[1], alone[0]) <= 1
    assert _difference(together[0], together[1]) > 8
    assert together[1].info[DISTANCE] == pytest.approx(alone[0].info[DISTANCE], abs=1e-3)
    again = paint(cases[0], [12])
    assert again[0].tobytes() == alone[0].tobytes()
    assert again[0].info == alone[0].info
    assert all(torch.equal(a, b) for a, b in zip(weights, stack.pixel.unet.parameters(), strict=True))


def test_the_prompt_counts_and_the_reference_does_not(stack: Stack, cases: list[Case], artefacts: Artefacts):
    paint, case = blended_diffusion(BD, stack), cases[0]
    painted = paint(case, [1])[0]
    other = replace(case, reference=cases[1].reference, reference_mask=None)
    assert paint(other, [1])[0].tobytes() == painted.tobytes()
    assert _difference(paint(replace(case, prompt="a photo of a red car"), [1])[0], painted) > 1


def test_an_empty_prompt_switches_all_guidance_off(stack: Stack, cases: list[Case], artefacts: Artefacts):
    silent = replace(cases[0], prompt="")
    unguided = replace(BD, clip_guidance_lambda=0.0, range_lambda=0.0)
    guided, free = (blended_diffusion(s, stack) for s in (BD, unguided))
    assert _difference(guided(silent, [1])[0], free(cases[0], [1])[0]) <= 1
    assert _difference(guided(cases[0], [1])[0], free(cases[0], [1])[0]) > 1


@pytest.mark.parametrize(
    "make", [lambda stack: stack, lambda stack: random_stack(torch.float32)], ids=["mini", "random"]
)
def test_a_long_prompt_is_cut_and_its_lost_words_are_named(make, stack: Stack):
    guide = make(stack).guide
    window = guide._tokenise(["a"]).shape[1]
    fits = " ".join(["cat"] * (window - 2))
    assert guide.lost_words("") == guide.lost_words("a cat") == guide.lost_words(fits) == ""
    assert guide.lost_words(f"{fits} Brown dog") == "Brown dog"


def test_the_painter_says_which_words_it_lost(stack: Stack, cases: list[Case], artefacts: Artefacts, caplog):
    long = " ".join(["cat"] * 75) + " barn"
    with caplog.at_level("WARNING"):
        blended_diffusion(replace(BD, batch=1), stack)(replace(cases[0], prompt=long), [1])
    (told,) = [
        record.getMessage() for record in caplog.records if record.name.startswith("spin_bench.methods.baselines")
    ]
    assert told.startswith("prompt cut to the guide's window, lost: cat cat ")
    assert told.endswith(" barn")


def test_the_mask_may_cover_everything_or_one_pixel(stack: Stack, cases: list[Case], artefacts: Artefacts):
    paint, case = blended_diffusion(BD, stack), cases[0]
    everywhere = paint(_masked(case, Image.new("L", (64, 64), 255)), [1])[0]
    assert _difference(everywhere, case.background) > 8
    pixel = Image.new("L", (64, 64))
    pixel.putpixel((9, 9), 255)
    changed = (np.asarray(paint(_masked(case, pixel), [1])[0]) != np.asarray(case.background)).any(2)
    changed[9, 9] = False
    assert not changed.any()


def test_a_mask_that_its_canvas_cannot_hold_is_not_painted_as_nothing(stack: Stack, cases: list[Case]):
    pixel = Image.new("L", (64, 64))
    pixel.putpixel((8, 8), 255)  # lost when the mask is shrunk to half the canvas
    with pytest.raises(PaintingError, match="mask"):
        blended_diffusion(BD, stack)(_masked(cases[0], pixel), [1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("learned_variance", [True, False])
def test_the_layout_of_sd14_at_reduced_width(
    dtype: torch.dtype, learned_variance: bool, cases: list[Case], artefacts: Artefacts
):
    stack = random_stack(dtype, learned_variance=learned_variance)
    case = replace(
        cases[0],
        background=cases[0].background.resize((CANVAS, CANVAS)),
        mask=cases[0].mask.resize((CANVAS, CANVAS), Image.Resampling.NEAREST),
    )
    pictures = blended_diffusion(replace(BD, steps=3), stack)(case, [1, 2])
    assert [picture.size for picture in pictures] == [(CANVAS, CANVAS)] * 2
    assert all(0 < picture.info[DISTANCE] < math.pi**2 / 2 for picture in pictures)
    assert stack.pixel.unet.dtype == dtype
    assert _difference(*pictures) > 8


def test_settings_without_sense_say_so(stack: Stack, artefacts: Artefacts):
    for wrong in ({"aug_num": 0}, {"batch": 0}, {"skip_share": 1.0}, {"skip_share": -0.1}):
        with pytest.raises(UserError, match=f"{next(iter(wrong))}=.*: set "):
            blended_diffusion(replace(BD, **wrong), stack)
