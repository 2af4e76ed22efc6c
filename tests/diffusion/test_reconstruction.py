"""The options of Blended Latent Diffusion: shrinking masks, and the ways the background comes back."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from spin_bench.core.case import Case
from spin_bench.core.errors import UserError
from spin_bench.diffusion import reconstruction
from spin_bench.diffusion.latents import decode, encode, mask_to_tensor, to_tensor
from spin_bench.diffusion.mask_schedule import mask_at, shrinking_masks
from spin_bench.diffusion.reconstruction import RECONSTRUCTIONS
from spin_bench.methods.baselines.blended_latent_diffusion import (
    BlendedLatentDiffusionSettings,
    blended_latent_diffusion,
)
from spin_bench.models.stack import Stack
from spin_bench.store.artefacts import Artefacts

BLD = BlendedLatentDiffusionSettings(steps=4)


def test_masks_shrink_to_the_exact_one():
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., 7, 7:9] = 1
    masks = shrinking_masks(mask, 3)
    assert [int(m.sum()) for m in masks] == [7 * 8, 5 * 6, 3 * 4, 2]
    assert torch.equal(masks[-1], mask)
    for index in range(12):
        position = [torch.equal(mask_at(masks, index, 12), m) for m in masks].index(True)
        assert position == index // (12 // 4 + 1)
    assert mask_at(masks, 11, 12) is masks[2]  # the authors' rounding: with 12 steps the exact mask is never reached
    assert mask_at(masks, 37, 38) is masks[3]
    assert shrinking_masks(mask, 0) == [mask]


@pytest.fixture
def decoded(stack: Stack, cases: list[Case]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Two painted pictures, the background, the mask: the paintings are the true composites after a round trip."""
    background, mask = to_tensor(cases[0].background), mask_to_tensor(cases[0].mask)
    truth = to_tensor(cases[0].truth)
    return decode(stack.vae, encode(stack.vae, torch.cat([truth, truth.flip(0) * 0.9]))), background, mask


def _outside_error(images: torch.Tensor, background: torch.Tensor, mask: torch.Tensor) -> float:
    return float(((images - background) * (1 - mask)).pow(2).mean())


@pytest.mark.parametrize("name", RECONSTRUCTIONS)
def test_the_background_comes_back_and_the_weights_do_too(name: str, stack: Stack, decoded, monkeypatch):
    images, background, mask = decoded
    monkeypatch.setattr(reconstruction, "ITERATIONS", 12)
    before = {key: tensor.clone() for key, tensor in stack.vae.state_dict().items()}
    restored = RECONSTRUCTIONS[name](images, background, mask, stack.vae)
    assert all(torch.equal(before[key], tensor) for key, tensor in stack.vae.state_dict().items())
    assert not any(p.requires_grad for p in stack.vae.parameters())
    assert restored.shape == images.shape
    error, at_first = _outside_error(restored, background, mask), _outside_error(images, background, mask)
    expected = {"none": 1.0, "paste": 1e-12, "poisson": 0.05, "decoder": 0.7, "latents": 0.9}
    assert error <= expected[name] * at_first
    if name == "paste":
        assert torch.equal(restored * mask, images * mask)
    inside = (restored - images) * mask
    assert inside.abs().mean() / mask.mean() < 0.5  # what was painted is still there


def test_each_image_has_a_decoder_of_its_own(stack: Stack, decoded, monkeypatch):
    images, background, mask = decoded
    monkeypatch.setattr(reconstruction, "ITERATIONS", 2)
    together = RECONSTRUCTIONS["decoder"](images, background, mask, stack.vae)
    alone = RECONSTRUCTIONS["decoder"](images[1:], background, mask, stack.vae)
    torch.testing.assert_close(together[1:], alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("box", [(0, 0, 64, 64), (0, 40, 30, 64), (20, 20, 21, 21)])
def test_poisson_takes_any_mask(box: tuple[int, int, int, int], stack: Stack, decoded):
    images, background, _ = decoded
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., box[1] : box[3], box[0] : box[2]] = 1
    cloned = RECONSTRUCTIONS["poisson"](images, background, mask, stack.vae)
    assert torch.isfinite(cloned).all()
    assert ((cloned - background).abs() * (1 - mask)).max() <= 1.01 / 127.5  # one grey level


@pytest.mark.parametrize(
    "change",
    [
        {"mask_dilation_iterations": 2},
        {"pixel_blending_share": 0.5},
        {"reconstruction": "paste"},
        {"start": "background"},
        {"blending": "next"},
    ],
)
def test_every_switch_changes_the_picture(change: dict, stack: Stack, cases: list[Case], artefacts: Artefacts):
    def paint(settings: BlendedLatentDiffusionSettings) -> Image.Image:
        return blended_latent_diffusion(settings, stack)(cases[0], [1])[0]

    plain, changed = paint(BLD), paint(replace(BLD, **change))
    assert plain.tobytes() != changed.tobytes()
    if change == {"reconstruction": "paste"}:
        outside = np.asarray(cases[0].mask) == 0
        assert np.array_equal(np.asarray(changed)[outside], np.asarray(cases[0].background)[outside])


def test_an_unknown_reconstruction_is_said(stack: Stack, artefacts: Artefacts):
    with pytest.raises(UserError, match="did you mean 'poisson'"):
        blended_latent_diffusion(replace(BLD, reconstruction="poison"), stack)
