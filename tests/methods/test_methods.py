"""The painters: what they share, and each against its equations written out again."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from spin_bench.core.case import Case
from spin_bench.core.errors import UserError
from spin_bench.diffusion.latents import decode, encode, latent_mask, to_pictures, to_tensor
from spin_bench.diffusion.text import encode_prompt
from spin_bench.methods.baselines.blended_latent_diffusion import (
    BlendedLatentDiffusionSettings,
    blended_latent_diffusion,
)
from spin_bench.methods.baselines.copy_paste import CopyPasteSettings, copy_paste
from spin_bench.methods.baselines.oracle import OracleSettings, oracle
from spin_bench.methods.painter import Painter
from spin_bench.models.stack import Stack
from spin_bench.spin.painter import spin
from spin_bench.spin.settings import EmbeddingSettings, SpinSettings
from spin_bench.store.artefacts import Artefacts

SPIN = SpinSettings(steps=4, embedding=EmbeddingSettings(iterations=3))
BLD = BlendedLatentDiffusionSettings(steps=4)

PAINTERS: dict[str, Callable[[Stack, Artefacts], Painter]] = {
    "spin": lambda stack, artefacts: spin(SPIN, stack.keeping(artefacts)),
    "spin, exact style": lambda stack, artefacts: spin(replace(SPIN, style_exact=True), stack.keeping(artefacts)),
    "bld": lambda stack, artefacts: blended_latent_diffusion(BLD, stack),
}


def _difference(a: Image.Image, b: Image.Image) -> int:
    return int(np.abs(np.asarray(a, np.int16) - np.asarray(b, np.int16)).max())


@pytest.mark.parametrize("name", PAINTERS)
def test_an_image_depends_on_its_seed_alone(name: str, stack: Stack, cases: list[Case], artefacts: Artefacts):
    paint = PAINTERS[name](stack, artefacts)
    weights = [p.clone() for module in (stack.unet, stack.vae, stack.text_encoder) for p in module.parameters()]
    together = paint(cases[0], [11, 12, 13])
    paint(cases[1], [11])
    alone = paint(cases[0], [12])
    assert _difference(together[1], alone[0]) <= 1  # one level: sums in another order
    assert _difference(together[0], together[1]) > 8
    assert paint(cases[0], [12])[0].tobytes() == alone[0].tobytes()
    after = [p for module in (stack.unet, stack.vae, stack.text_encoder) for p in module.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(weights, after, strict=True))


@torch.no_grad()
def test_bld_is_its_equations(stack: Stack, cases: list[Case], artefacts: Artefacts):
    case, seed, steps = cases[0], 21, 8
    painted = blended_latent_diffusion(replace(BLD, steps=steps), stack)(case, [seed])[0]

    generator = torch.Generator().manual_seed(seed)
    alphas = torch.cumprod(1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2, 0)
    mask = latent_mask(case.mask, stack.vae)
    z0 = encode(stack.vae, to_tensor(case.background))
    texts = torch.cat([encode_prompt(stack.tokenizer, stack.text_encoder, text) for text in ("", case.prompt)])
    z = torch.randn(4, 16, 16, generator=generator)[None]
    for t in [1 + 125 * i for i in range(steps)][::-1][2:]:  # a quarter of the steps is skipped
        eps_null, eps_text = stack.unet(torch.cat([z, z]), t, encoder_hidden_states=texts).sample.chunk(2)
        eps = eps_null + 7.5 * (eps_text - eps_null)
        a_now, a_next = alphas[t], alphas[max(t - 125, 0)]
        x0 = (z - (1 - a_now).sqrt() * eps) / a_now.sqrt()
        z = a_next.sqrt() * x0 + (1 - a_next).sqrt() * eps
        fresh = torch.randn(4, 16, 16, generator=generator)[None]
        z = z * mask + (a_now.sqrt() * z0 + (1 - a_now).sqrt() * fresh) * (1 - mask)
    assert _difference(painted, to_pictures(decode(stack.vae, z))[0]) <= 1


def test_bld_never_sees_the_reference(stack: Stack, cases: list[Case], artefacts: Artefacts):
    paint = blended_latent_diffusion(BLD, stack)
    other = replace(cases[0], reference=cases[1].reference, reference_mask=None)
    assert paint(cases[0], [1])[0].tobytes() == paint(other, [1])[0].tobytes()


def test_spin_never_sees_the_prompt(stack: Stack, cases: list[Case], artefacts: Artefacts):
    paint = spin(SPIN, stack.keeping(artefacts))
    other = replace(cases[0], prompt="a photo of something else")
    assert paint(cases[0], [1])[0].tobytes() == paint(other, [1])[0].tobytes()


def test_spin_keeps_the_background_latents(stack: Stack, cases: list[Case], artefacts: Artefacts):
    """Far from the mask the painted picture is the decoded background, whatever was painted inside."""
    case = cases[0]
    painted = np.asarray(spin(SPIN, stack.keeping(artefacts))(case, [1])[0], np.int16)
    untouched = np.asarray(to_pictures(decode(stack.vae, encode(stack.vae, to_tensor(case.background))))[0], np.int16)
    outside = np.asarray(case.mask) == 0
    assert np.abs(painted - untouched)[outside].mean() < 0.25 * np.abs(painted - untouched)[~outside].mean()


def test_the_mask_may_cover_everything_or_one_cell(stack: Stack, cases: list[Case], artefacts: Artefacts):
    everything = Image.new("L", (64, 64), 255)
    cell = Image.new("L", (64, 64))
    cell.paste(255, (8, 8, 12, 12))
    for mask in (everything, cell):
        for name in ("spin", "bld"):
            picture = PAINTERS[name](stack, artefacts)(replace(cases[0], mask=mask), [1])[0]
            assert picture.size == (64, 64)
            assert np.asarray(picture).std() > 0


def test_copy_paste_and_oracle_touch_the_mask_alone(stack: Stack, cases: list[Case], artefacts: Artefacts):
    for case in cases:
        outside = np.asarray(case.mask) == 0
        for segmented in (False, True):
            pasted = copy_paste(CopyPasteSettings(segmented=segmented), stack)(case, [1, 2])
            assert len(pasted) == 2
            assert np.array_equal(np.asarray(pasted[0])[outside], np.asarray(case.background)[outside])
            assert not np.array_equal(np.asarray(pasted[0]), np.asarray(case.background))
        truth = oracle(OracleSettings(), stack)(case, [1])[0]
        assert np.array_equal(np.asarray(truth)[outside], np.asarray(case.background)[outside])


def test_oracle_says_when_the_truth_is_not_known(stack: Stack, cases: list[Case], artefacts: Artefacts):
    with pytest.raises(UserError, match="leave oracle out"):
        oracle(OracleSettings(), stack)(replace(cases[0], truth=None), [1])
