"""Sampling in pixel space against diffusers' own schedulers, and guidance against its closed form."""

import pytest
import torch
from diffusers import DDIMScheduler
from small_pixels import SIDE, pixels, seeded_noise

from spin_bench.core.errors import UserError
from spin_bench.diffusion.noise import NoiseSource
from spin_bench.diffusion.pixel_sampler import NOISY, ancestral, ddim, respaced

# --- the sampler


@torch.no_grad()
@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("variance_type", ["fixed_small", "fixed_large", "learned_range"])
def test_the_ancestral_sampler_is_the_one_of_diffusers(variance_type: str, prediction_type: str):
    model = pixels(variance_type, prediction_type=prediction_type)
    x = theirs = seeded_noise(1, 1, 3, SIDE, SIDE)
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
@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_the_deterministic_sampler_is_the_one_of_diffusers(prediction_type: str):
    model = pixels(trained=20, prediction_type=prediction_type)
    scheduler = DDIMScheduler(num_train_timesteps=20, prediction_type=prediction_type, clip_sample=False)
    scheduler.set_timesteps(20)  # all of them: diffusers spaces fewer otherwise
    x = theirs = seeded_noise(1, 2, 3, SIDE, SIDE)
    for step in ddim(model, x, steps=20, skip=0):
        theirs = scheduler.step(model.unet(theirs, step.t).sample, step.t, theirs).prev_sample
        torch.testing.assert_close(step.x, theirs, atol=1e-4, rtol=1e-4)


def test_an_energy_moves_the_mean_or_the_noise():
    """A linear energy c.x has the gradient c, and guidance its closed form."""
    model = pixels(trained=50)
    x, slope = seeded_noise(1, 2, 3, SIDE, SIDE), seeded_noise(2, 2, 3, SIDE, SIDE)

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


@torch.no_grad()
def test_the_scale_of_the_noise_acts_on_its_early_steps_alone():
    model = pixels()
    x = seeded_noise(1, 2, 3, SIDE, SIDE)
    steps = {
        scale: ancestral(model, x, NoiseSource([5, 6], torch.device("cpu"), torch.float32), steps=10, noise_scale=scale)
        for scale in (1.0, 1.5)
    }
    noise = NoiseSource([5, 6], torch.device("cpu"), torch.float32)
    early = 0
    for plain, scaled in zip(*steps.values(), strict=True):
        if plain.t_next < 0:
            torch.testing.assert_close(scaled.x, plain.x)
            continue
        a, a_next = (float(model.scheduler.alphas_cumprod[t]) for t in (plain.t, plain.t_next))
        noisy = ((1 - a) / a) ** 0.5 > NOISY
        early += noisy
        variance = (1 - a_next) / (1 - a) * (1 - a / a_next)
        added = noise.normal(3, SIDE, SIDE) * variance**0.5
        torch.testing.assert_close(scaled.x - plain.x, 0.5 * noisy * added, atol=1e-5, rtol=1e-4)
        scaled.x = plain.x  # so that the next step starts alike
    assert 0 < early < 9


def test_respacing_keeps_both_ends():
    scheduler = pixels().scheduler
    assert respaced(scheduler, 100) == [round(i * 999 / 99) for i in range(100)][::-1]
    assert respaced(scheduler, 1000) == [*range(1000)][::-1]
    for steps in (0, 1001):
        with pytest.raises(UserError, match="set steps from 1 to 1000"):
            respaced(scheduler, steps)


def test_a_kind_of_prediction_must_be_known():
    model = pixels(prediction_type="sample")
    source, x = NoiseSource([1], torch.device("cpu"), torch.float32), torch.zeros(1, 3, SIDE, SIDE)
    with pytest.raises(UserError, match="epsilon, v_prediction"):
        next(iter(ancestral(model, x, source, steps=3)))


def test_a_variance_must_be_known_and_predicted():
    source, x = NoiseSource([1], torch.device("cpu"), torch.float32), torch.zeros(1, 3, SIDE, SIDE)
    for wrong, words in (("fixed_smal", "did you mean 'fixed_small'"), ("learned_range", "predicts no variance")):
        model = pixels()
        model.scheduler.register_to_config(variance_type=wrong)
        with pytest.raises(UserError, match=words):
            next(iter(ancestral(model, x, source, steps=3)))
