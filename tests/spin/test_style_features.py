"""What style guidance looks at, and its gradient through it."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from spin_bench.core.errors import UserError
from spin_bench.diffusion.guidance import Prediction
from spin_bench.diffusion.sampler import Step
from spin_bench.models.stack import Stack
from spin_bench.spin.style import at_grid, style_distance, style_gradient
from spin_bench.spin.style_features import DECODER_BLOCKS, FEATURES


@pytest.fixture
def x0() -> torch.Tensor:
    return torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def test_decoder_features_are_what_the_decoder_computes(x0: torch.Tensor, stack: Stack):
    seen: list[torch.Tensor] = []
    decoder = stack.vae.decoder
    parts = [decoder.mid_block, *decoder.up_blocks[:DECODER_BLOCKS]]
    handles = [part.register_forward_hook(lambda _part, _inputs, output: seen.append(output)) for part in parts]
    stack.vae.decode(x0 / stack.vae.config.scaling_factor)
    for handle in handles:
        handle.remove()
    for found, expected in zip(FEATURES["decoder"](x0, stack), seen, strict=True):
        torch.testing.assert_close(found, expected / expected.shape[1] ** 0.5)


@torch.no_grad()
def test_clip_features_are_of_the_decoded_picture(x0: torch.Tensor, stack: Stack):
    (found,) = FEATURES["clip"](x0, stack)
    image = stack.vae.decode(x0 / stack.vae.config.scaling_factor).sample
    torch.testing.assert_close(found, stack.clip.encode_patches(image))

    class Blind:
        name = "blind CLIP"

    blind = replace(stack, loaders=replace(stack.loaders, clip=Blind))
    with pytest.raises(UserError, match="blind CLIP shows no patches: set latents or decoder"):
        FEATURES["clip"](x0, blind)


def test_a_mask_goes_to_the_grid_of_the_features():
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., 2:5, :] = 1
    assert at_grid(mask, torch.zeros(1, 3, 8, 8)) is mask
    assert torch.equal(at_grid(mask, torch.zeros(1, 3, 16, 16)), F.interpolate(mask, scale_factor=2, mode="nearest"))
    assert torch.equal(at_grid(mask, torch.zeros(1, 3, 4, 4))[0, 0, :, 0], torch.tensor([0.0, 1.0, 0.5, 0.0]))


@pytest.mark.parametrize("name", ["decoder", "clip"])
def test_the_gradient_through_features_is_a_finite_difference(name: str, x0: torch.Tensor, stack: Stack):
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., 4:10, 5:12] = 1
    x0, scene = x0[:1], x0[1:]

    def features(latents: torch.Tensor) -> list[torch.Tensor]:
        return FEATURES[name](latents, stack)

    target = features(scene)

    def distance(latents: torch.Tensor) -> float:
        pairs = zip(features(latents), target, strict=True)
        return sum(float(style_distance(a, b, mask, statistic="mean_std").double()) for a, b in pairs)

    step = Step(0, 500, 480, x0, x0, x0, x0)
    gradient = style_gradient(
        step,
        target,
        mask,
        features=features,
        statistic="mean_std",
        exact=False,
        predict_noise=lambda latents, t: Prediction(latents, latents),
        scheduler=stack.scheduler,
    )
    direction = gradient / gradient.norm()
    h = 0.05
    with torch.no_grad():
        numeric = (distance(x0 + h * direction) - distance(x0 - h * direction)) / (2 * h)
    assert numeric == pytest.approx(float(gradient.norm()), rel=0.05)
    assert float(gradient.norm()) > 0
