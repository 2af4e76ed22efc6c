"""Blended Diffusion: its sampler against diffusers, its views against OpenCV and SciPy, itself against equations."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from diffusers import DDIMScheduler, DDPMScheduler, UNet2DModel
from PIL import Image
from random_stack import CANVAS, random_stack
from scipy.ndimage import map_coordinates

from baselines.blended_diffusion import (
    DISTANCE,
    BlendedDiffusionSettings,
    blended_diffusion,
    guidance_energy,
    rank_features,
    spherical_distance,
)
from spin_bench.artefacts import Artefacts
from spin_bench.case import Case
from spin_bench.diffusion.augment import affine, augmented, perspective, warp
from spin_bench.diffusion.latents import mask_to_tensor, to_pictures, to_tensor
from spin_bench.diffusion.noise import NoiseSource
from spin_bench.diffusion.pixel_sampler import ancestral, ddim, estimate, respaced
from spin_bench.errors import UserError
from spin_bench.identity import derive_seed
from spin_bench.stack import PixelDiffusion, Stack

BD = BlendedDiffusionSettings(steps=4, aug_num=3)  # the defaults, but for what costs time
SIDE = 8


def _pixels(variance_type: str = "fixed_small", *, trained: int = 1000) -> PixelDiffusion:
    """A small model of random weights."""
    torch.manual_seed(0)
    unet = UNet2DModel(
        sample_size=SIDE,
        out_channels=6 if variance_type == "learned_range" else 3,
        block_out_channels=(16, 16),
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        norm_num_groups=8,
    )
    options = {"variance_type": variance_type, "timestep_spacing": "linspace", "clip_sample": False}
    return PixelDiffusion(unet.eval().requires_grad_(False), DDPMScheduler(num_train_timesteps=trained, **options))


def _noise(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _difference(a: Image.Image, b: Image.Image) -> int:
    return int(np.abs(np.asarray(a, np.int16) - np.asarray(b, np.int16)).max())


def _masked(case: Case, mask: Image.Image) -> Case:
    return replace(case, mask=mask)


# --- the sampler


@torch.no_grad()
@pytest.mark.parametrize("variance_type", ["fixed_small", "fixed_large", "learned_range"])
def test_the_ancestral_sampler_is_the_one_of_diffusers(variance_type: str):
    model = _pixels(variance_type)
    x = theirs = _noise(1, 1, 3, SIDE, SIDE)
    generator = torch.Generator().manual_seed(5)
    model.scheduler.set_timesteps(9)
    source = NoiseSource([5], torch.device("cpu"), torch.float32)
    for step in ancestral(model, x, source, steps=9):
        out = model.scheduler.step(model.unet(theirs, step.t).sample, step.t, theirs, generator=generator)
        theirs = out.prev_sample
        torch.testing.assert_close(step.x0_pred, out.pred_original_sample, atol=1e-4, rtol=1e-3)
        torch.testing.assert_close(step.x, theirs, atol=1e-4, rtol=1e-3)
    assert step.t_next == -1
    assert step.index == 8


@torch.no_grad()
def test_the_deterministic_sampler_is_the_one_of_diffusers():
    model = _pixels(trained=20)
    scheduler = DDIMScheduler(num_train_timesteps=20, clip_sample=False)  # its steps are respaced otherwise: run all
    scheduler.set_timesteps(20)
    x = theirs = _noise(1, 2, 3, SIDE, SIDE)
    for step in ddim(model, x, steps=20, skip=0):
        theirs = scheduler.step(model.unet(theirs, step.t).sample, step.t, theirs).prev_sample
        torch.testing.assert_close(step.x, theirs, atol=1e-4, rtol=1e-4)


def test_an_energy_moves_the_mean_or_the_noise():
    """A linear energy c.x has the gradient c, and guidance its closed form."""
    model = _pixels(trained=50)
    x, slope = _noise(1, 2, 3, SIDE, SIDE), _noise(2, 2, 3, SIDE, SIDE)

    def energy(x_t: torch.Tensor, x0_pred: torch.Tensor, t: int) -> torch.Tensor:
        return (x_t * slope).sum((1, 2, 3))

    def first(steps) -> torch.Tensor:
        return next(iter(steps)).x

    def source() -> NoiseSource:
        return NoiseSource([5, 6], torch.device("cpu"), torch.float32)

    t, t_next = respaced(model.scheduler, 10)[:2]
    a, a_next = (float(model.scheduler.alphas_cumprod[s]) for s in (t, t_next))
    moved = first(ancestral(model, x, source(), steps=10, energy=energy)) - first(
        ancestral(model, x, source(), steps=10)
    )
    variance = (1 - a_next) / (1 - a) * (1 - a / a_next)
    torch.testing.assert_close(moved, -variance * slope, atol=1e-5, rtol=1e-4)
    moved = first(ddim(model, x, steps=10, energy=energy)) - first(ddim(model, x, steps=10))
    noise = (1 - a) ** 0.5 * slope
    expected = (1 - a_next) ** 0.5 * noise - a_next**0.5 * (1 - a) ** 0.5 / a**0.5 * noise
    torch.testing.assert_close(moved, expected, atol=1e-5, rtol=1e-4)


def test_respacing_keeps_both_ends():
    scheduler = _pixels().scheduler
    assert respaced(scheduler, 100) == [round(i * 999 / 99) for i in range(100)][::-1]
    assert respaced(scheduler, 1000) == [*range(1000)][::-1]
    for steps in (0, 1001):
        with pytest.raises(UserError, match="set steps from 1 to 1000"):
            respaced(scheduler, steps)


def test_a_variance_must_be_known_and_predicted():
    source, x = NoiseSource([1], torch.device("cpu"), torch.float32), torch.zeros(1, 3, SIDE, SIDE)
    for wrong, words in (("fixed_smal", "did you mean 'fixed_small'"), ("learned_range", "predicts no variance")):
        model = _pixels()
        model.scheduler.register_to_config(variance_type=wrong)
        with pytest.raises(UserError, match=words):
            next(iter(ancestral(model, x, source, steps=3)))


# --- the views


def _places(matrix: np.ndarray, side: int) -> np.ndarray:
    """Rows and columns of the picture that a view shows, for `map_coordinates`."""
    centres = (2 * np.arange(side) + 1) / side - 1
    x, y = np.meshgrid(centres, centres)
    places = matrix @ np.stack([x.ravel(), y.ravel(), np.ones(side * side)])
    return ((places[:2] / places[2] + 1) * side / 2 - 0.5)[::-1].reshape(2, side, side)


def test_a_turned_and_shifted_view_is_scipy_s():
    picture = _noise(0, 1, 1, 20, 20)
    numbers = torch.tensor([[0.9, 0.2, 0.75]])  # 12 degrees, kornia's quirk: no shift in x, 0.05 of the side in y
    view = warp(picture, torch.tensor([True]), affine(numbers), padding="border")[0, 0]
    turn = np.exp(-1j * np.radians(12))  # back to the picture
    matrix = np.array([[turn.real, -turn.imag, 0], [turn.imag, turn.real, 0], [0, 0, 1]])
    matrix = matrix @ np.array([[1, 0, 0], [0, 1, -2 * 0.05], [0, 0, 1]])
    expected = map_coordinates(picture[0, 0].numpy(), _places(matrix, 20), order=1, mode="nearest")
    np.testing.assert_allclose(view.numpy(), expected, atol=1e-4)


def test_a_view_in_perspective_is_opencv_s():
    picture, numbers = _noise(0, 5, 1, 20, 20), torch.rand(5, 4, 2, generator=torch.Generator().manual_seed(1))
    views = warp(picture, torch.ones(5, dtype=torch.bool), perspective(numbers), padding="zeros")
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
    for view, before, inwards in zip(views, picture, numbers.numpy(), strict=True):
        matrix = cv2.getPerspectiveTransform(square * (1 - np.float32(0.7) * inwards), square)
        expected = map_coordinates(before[0].numpy(), _places(matrix, 20), order=1, mode="grid-constant")
        np.testing.assert_allclose(view[0].numpy(), expected, atol=2e-3)


def test_views_are_drawn_as_published():
    images = _noise(0, 100, 1, 6, 6)
    generators = [torch.Generator().manual_seed(k) for k in range(100)]
    views = augmented(images, generators, copies=21, side=6)
    assert torch.equal(views[0], images)
    same = (views[1:] == images).flatten(2).all(2)
    assert abs(same.float().mean() - 0.3 * 0.3) < 4 * (0.09 * 0.91 / 2000) ** 0.5
    assert views[1:].isfinite().all()
    assert views.abs().max() <= images.abs().max() + 1e-5  # bilinear: nothing is made up


def test_views_belong_to_their_image_and_gradients_reach_every_pixel():
    images = _noise(0, 3, 3, 16, 16).requires_grad_()
    views = augmented(images, [torch.Generator().manual_seed(k) for k in (1, 2, 3)], copies=8, side=12)
    assert views.shape == (8, 3, 3, 12, 12)
    alone = augmented(images[1:2], [torch.Generator().manual_seed(2)], copies=8, side=12)
    assert torch.equal(views[:, 1:2], alone)
    assert not torch.equal(views[1, 0], views[2, 0])
    (gradient,) = torch.autograd.grad(views[:, 1].sum(), images)
    assert (gradient[1] > 0).all()
    assert gradient[[0, 2]].abs().max() == 0


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
    x = alpha**0.5 * task[0] + (1 - alpha) ** 0.5 * _noise(3, 1, *task[0].shape[1:])

    def energy():
        """A fresh one draws the same views."""
        return guidance_energy(settings, stack, *task, NoiseSource([4], stack.device, torch.float32))

    @torch.no_grad()
    def value(x_t: torch.Tensor) -> float:
        x0_pred = (x_t - (1 - alpha) ** 0.5 * stack.pixel.unet(x_t, t).sample) / alpha**0.5
        return float(energy()(x_t, x0_pred, t))

    descent = estimate(stack.pixel, x, t, energy()).descent
    assert descent is not None
    blurred = F.avg_pool2d(descent, 5, stride=1, padding=2)  # a direction that is not the gradient
    for direction in (descent / descent.norm(), blurred / blurred.norm()):
        slope = (value(x + 0.005 * direction) - value(x - 0.005 * direction)) / 0.01
        assert slope == pytest.approx(-float((descent * direction).sum()), rel=0.01)


@torch.no_grad()
def test_the_background_losses_compare_with_the_unmasked_picture(stack: Stack, cases: list[Case]):
    picture, mask, prompt = _task(stack, cases[0])
    x_t, x0_pred, t = _noise(1, 2, *picture.shape[1:]), _noise(2, 2, *picture.shape[1:]), 500

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
def test_the_ranking_leaves_out_the_normalisation(stack: Stack, cases: list[Case]):
    picture, mask, _ = _task(stack, cases[0])
    seen = F.interpolate((picture + 1) / 2 * mask, (stack.clip.side, stack.clip.side), mode="bilinear")
    expected = stack.clip._model.encode_image(seen, normalize=True)
    torch.testing.assert_close(rank_features(stack, picture, mask, normalised=False), expected, atol=1e-5, rtol=1e-4)
    usual = rank_features(stack, picture, mask, normalised=True)
    torch.testing.assert_close(usual, stack.clip.encode_image(2 * seen - 1), atol=1e-5, rtol=1e-4)


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
        painted = blended_diffusion(settings, stack, artefacts)(case, [seed])[0]

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
        x0 = (x - (1 - a[t]).sqrt() * stack.pixel.unet(x, t).sample) / a[t].sqrt()
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
        blended_diffusion(replace(BD, shared_background_noise=shared), stack, artefacts)(case, [1, 2])
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
        paint, case = blended_diffusion(replace(BD, enforce_background=enforce), stack, artefacts), cases[0]
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
    paint = blended_diffusion(settings, stack, artefacts)
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
    paint, case = blended_diffusion(BD, stack, artefacts), cases[0]
    painted = paint(case, [1])[0]
    other = replace(case, reference=cases[1].reference, reference_mask=None)
    assert paint(other, [1])[0].tobytes() == painted.tobytes()
    assert _difference(paint(replace(case, prompt="a photo of a red car"), [1])[0], painted) > 1


def test_an_empty_prompt_switches_all_guidance_off(stack: Stack, cases: list[Case], artefacts: Artefacts):
    silent = replace(cases[0], prompt="")
    unguided = replace(BD, clip_guidance_lambda=0.0, range_lambda=0.0)
    guided, free = (blended_diffusion(s, stack, artefacts) for s in (BD, unguided))
    assert _difference(guided(silent, [1])[0], free(cases[0], [1])[0]) <= 1
    assert _difference(guided(cases[0], [1])[0], free(cases[0], [1])[0]) > 1


def test_the_mask_may_cover_everything_or_one_pixel(stack: Stack, cases: list[Case], artefacts: Artefacts):
    paint, case = blended_diffusion(BD, stack, artefacts), cases[0]
    everywhere = paint(_masked(case, Image.new("L", (64, 64), 255)), [1])[0]
    assert _difference(everywhere, case.background) > 8
    for place in ((8, 8), (9, 9)):  # one of them is lost when the mask is shrunk
        pixel = Image.new("L", (64, 64))
        pixel.putpixel(place, 255)
        painted = np.asarray(paint(_masked(case, pixel), [1])[0])
        changed = (painted != np.asarray(case.background)).any(2)
        changed[place[1], place[0]] = False
        assert not changed.any()


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
    pictures = blended_diffusion(replace(BD, steps=3), stack, artefacts)(case, [1, 2])
    assert [picture.size for picture in pictures] == [(CANVAS, CANVAS)] * 2
    assert all(0 < picture.info[DISTANCE] < math.pi**2 / 2 for picture in pictures)
    assert stack.pixel.unet.dtype == dtype
    assert _difference(*pictures) > 8


def test_settings_without_sense_say_so(stack: Stack, artefacts: Artefacts):
    for wrong in ({"aug_num": 0}, {"skip_share": 1.0}, {"skip_share": -0.1}):
        with pytest.raises(UserError, match=f"{next(iter(wrong))}=.*: set "):
            blended_diffusion(replace(BD, **wrong), stack, artefacts)
