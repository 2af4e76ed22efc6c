"""Uni-paint against its equations written out again: terms one by one, Adam not fused, attention in full."""

import logging
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel
from PIL import Image
from random_stack import random_stack
from torch import Tensor, nn
from written_out import WrittenOut, bilinear

from spin_bench.core.case import Case
from spin_bench.core.errors import PaintingError, UserError
from spin_bench.core.identity import derive_seed
from spin_bench.diffusion.finetuning import finetuning
from spin_bench.diffusion.latents import decode, to_pictures, to_tensor
from spin_bench.diffusion.text import encode_prompt
from spin_bench.methods.baselines.uni_paint import CONTEXTS, Term, UniPaintSettings, tune, uni_paint
from spin_bench.models.stack import Stack
from spin_bench.store.artefacts import Artefacts

QUICK = UniPaintSettings(iterations=1, steps=2)


def _difference(a: Image.Image, b: Image.Image) -> int:
    return int(np.abs(np.asarray(a, np.int16) - np.asarray(b, np.int16)).max())


def _nearest_word(case: Case, stack: Stack) -> str:
    """The vocabulary word that CLIP finds nearest to the stretched exemplar, one word after another."""
    image = stack.clip.encode_image(to_tensor(case.reference.resize((64, 64), Image.Resampling.BILINEAR)))
    scores = {}
    for token in stack.tokenizer.get_vocab():
        word = token.removesuffix("</w>")
        if token != word and word.isascii() and word.isalpha() and len(word) > 2:
            scores[word] = float((image * stack.clip.encode_text([f"a photo of a {word}"])).sum())
    return max(scores, key=scores.__getitem__)


def test_the_placeholder_is_the_word_nearest_to_the_exemplar(stack: Stack, cases: list[Case]):
    case = replace(cases[0], prompt="a photo of a cat on the grass")
    word = _nearest_word(case, stack)
    for mode, template, said in (
        ("exemplar", "{}, {prompt}", word),
        ("mix", "{}, {prompt}", f"{word}, {case.prompt}"),
        ("mix", "{prompt} with {}", f"{case.prompt} with {word}"),
        ("text", "{}, {prompt}", case.prompt),
    ):
        got = CONTEXTS[mode](case, UniPaintSettings(template=template), stack)
        expected = encode_prompt(stack.tokenizer, stack.text_encoder, said)
        torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-4)


def test_tuning_is_adam_over_the_terms_one_by_one(stack: Stack, small_unet: UNet2DConditionModel):
    stack = replace(stack, loaders=replace(stack.loaders, unet=lambda: deepcopy(small_unet)))
    torch.manual_seed(3)
    terms = [Term(torch.randn(1, 4, 8, 8), torch.rand(1, 1, 8, 8), torch.randn(1, 5, 12)) for _ in range(2)]
    settings = UniPaintSettings(iterations=4, lr=1e-3)
    by_hand = deepcopy(small_unet).requires_grad_()
    optimizer = torch.optim.Adam(by_hand.parameters(), lr=settings.lr, foreach=False)
    alphas, generator = stack.scheduler.alphas_cumprod, torch.Generator().manual_seed(5)
    for _ in range(settings.iterations):
        times = torch.randint(1000, (2,), generator=generator)
        noises = torch.randn(2, 4, 8, 8, generator=generator)
        optimizer.zero_grad()
        for (latents, weight, context), t, noise in zip(terms, times, noises, strict=True):
            noisy = alphas[t].sqrt() * latents + (1 - alphas[t]).sqrt() * noise
            predicted = by_hand(noisy, t, encoder_hidden_states=context).sample
            nn.functional.mse_loss(predicted * weight, noise[None] * weight).backward()  # gradients add up
        optimizer.step()
    with finetuning(stack.unet) as tuned:
        tune([lambda: terms[0], lambda: terms[1]], torch.Generator().manual_seed(5), settings, stack)
        for ours, theirs, start in zip(tuned.parameters(), by_hand.parameters(), small_unet.parameters(), strict=True):
            moved = (theirs - start).abs().mean()
            assert moved > 0.1 * settings.lr
            assert (ours - theirs).abs().mean() < 0.01 * moved  # Adam's first steps magnify what rounding leaves


def _equations(case: Case, seed: int, settings: UniPaintSettings, stack: Stack) -> Image.Image:
    """The whole method in the order of the paper, one image, one term, one half of guidance at a time."""
    generator = torch.Generator().manual_seed(derive_seed(0, case.digest, 0))
    unet, alphas = deepcopy(stack.unet).requires_grad_(), stack.scheduler.alphas_cumprod

    def sampled(image: Tensor) -> Tensor:
        with torch.no_grad():
            mean, log_variance = stack.vae.quant_conv(stack.vae.encoder(image)).chunk(2, 1)
        noise = torch.randn(mean.shape, generator=generator)
        return (mean + (log_variance / 2).exp() * noise) * stack.vae.config.scaling_factor

    def noised(latents: Tensor, t: int, noise: Tensor) -> Tensor:
        return alphas[t].sqrt() * latents + (1 - alphas[t]).sqrt() * noise

    painted = (torch.from_numpy(np.array(case.mask)) > 127).float()
    z_xm = sampled(to_tensor(case.background) * (1 - painted))
    nearest = painted[::4, ::4]
    z_m = torch.zeros(16, 16)
    for i, j in nearest.nonzero().tolist():
        z_m[max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2] = 1
    null, prompt = (encode_prompt(stack.tokenizer, stack.text_encoder, text) for text in ("", case.prompt))
    bare = encode_prompt(stack.tokenizer, stack.text_encoder, _nearest_word(case, stack))
    exemplar = to_tensor(case.reference.resize((64, 64), Image.Resampling.BILINEAR))
    left, top, right, bottom = case.box
    shorter = min(right - left, bottom - top)

    optimizer = torch.optim.Adam(unet.parameters(), lr=settings.lr, foreach=False)
    for _ in range(settings.iterations):
        terms = [(z_xm, 1 - z_m, null)]
        if settings.mode == "exemplar":
            side = int(torch.randint(int(0.4 * shorter), int(0.9 * shorter), (1,), generator=generator))
            x = int(torch.randint(left, right - side, (1,), generator=generator))
            y = int(torch.randint(top, bottom - side, (1,), generator=generator))
            flipped = torch.rand(1, generator=generator) < 0.5
            canvas, square = torch.zeros(1, 3, 64, 64), torch.zeros(64, 64)
            shrunk = torch.stack([bilinear(channel, side) for channel in exemplar[0]])
            canvas[0, :, x : x + side, y : y + side] = shrunk.flip(-1) if flipped else shrunk  # swapped, as published
            square[x : x + side, y : y + side] = 1
            terms.append((sampled(canvas), bilinear(square, 16), bare))
        times = torch.randint(1000, (len(terms),), generator=generator)
        noises = torch.randn(len(terms), 4, 16, 16, generator=generator)
        optimizer.zero_grad()
        for (latents, weight, context), t, noise in zip(terms, times, noises, strict=True):
            predicted = unet(noised(latents, t, noise), t, encoder_hidden_states=context).sample
            ((predicted - noise) * weight).pow(2).mean().backward()
        optimizer.step()

    unet.set_attn_processor(WrittenOut(painted))
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(1, 4, 16, 16, generator=generator)
    context, stride = bare if settings.mode == "exemplar" else prompt, 1000 // settings.steps
    with torch.no_grad():
        for t in [1 + stride * i for i in range(settings.steps)][::-1]:
            z = noised(z_xm, t, torch.randn(1, 4, 16, 16, generator=generator)) * (1 - z_m) + z * z_m
            eps_null, eps = (unet(z, t, encoder_hidden_states=text).sample for text in (null, context))
            eps = eps_null + 8 * (eps - eps_null)
            a_now, a_next = alphas[t], alphas[max(t - stride, 0)]
            z = a_next.sqrt() * (z - (1 - a_now).sqrt() * eps) / a_now.sqrt() + (1 - a_next).sqrt() * eps
    return to_pictures(decode(stack.vae, z))[0]


@pytest.mark.parametrize(("mode", "iterations"), [("exemplar", 0), ("exemplar", 2), ("text", 1)])
def test_a_picture_is_the_equations(mode: str, iterations: int, stack: Stack, cases: list[Case], artefacts: Artefacts):
    settings = UniPaintSettings(mode=mode, iterations=iterations, lr=1e-4, steps=4)
    painted = uni_paint(settings, stack)(cases[1], [9, 21])[1]
    assert _difference(painted, _equations(cases[1], 21, settings, stack)) <= 1


def test_an_image_depends_on_its_case_and_seed_alone(stack: Stack, cases: list[Case], artefacts: Artefacts):
    paint = uni_paint(QUICK, stack)
    values = {name: tensor.clone() for name, tensor in stack.unet.state_dict().items()}
    together = paint(cases[0], [11, 12])
    paint(cases[1], [11])
    alone = paint(cases[0], [12])[0]
    assert _difference(together[1], alone) <= 1  # one level: sums in another order
    assert _difference(together[0], together[1]) > 8
    assert [a.tobytes() for a in paint(cases[0], [11, 12])] == [b.tobytes() for b in together]
    with torch.no_grad():  # a caller's mode does not matter
        assert paint(cases[0], [12])[0].tobytes() == alone.tobytes()
    assert all(torch.equal(tensor, values[name]) for name, tensor in stack.unet.state_dict().items())
    assert not any(p.requires_grad for p in stack.unet.parameters())


@pytest.mark.parametrize("passes", [0, 1, 2])
def test_an_interrupted_painting_leaves_no_trace(passes: int, stack: Stack, cases: list[Case], artefacts: Artefacts):
    """Stopped in the first pass of tuning, after its step, or after the first pass of painting."""
    values = {name: tensor.clone() for name, tensor in stack.unet.state_dict().items()}
    weights, processors, left = list(stack.unet.parameters()), stack.unet.attn_processors, iter(range(passes))

    def stop(_module: object, _inputs: tuple) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt

    hook = stack.unet.register_forward_pre_hook(stop)
    try:
        with pytest.raises(KeyboardInterrupt):
            uni_paint(QUICK, stack)(cases[0], [1])
    finally:
        hook.remove()
    assert all(torch.equal(tensor, values[name]) for name, tensor in stack.unet.state_dict().items())
    assert all(a is b for a, b in zip(stack.unet.parameters(), weights, strict=True))
    assert not any(p.requires_grad or p.grad is not None for p in weights)
    assert stack.unet.attn_processors == processors


@pytest.mark.parametrize("mode", ["exemplar", "text", "mix"])
def test_modes_see_what_they_say(mode: str, stack: Stack, cases: list[Case], artefacts: Artefacts):
    paint = uni_paint(replace(QUICK, mode=mode, iterations=0, steps=1), stack)
    case = replace(cases[0], prompt="a photo of a cat")
    plain, told, shown = (
        paint(c, [1])[0].tobytes()
        for c in (case, replace(case, prompt="a photo of a dog"), replace(case, reference=cases[1].reference))
    )
    assert (plain != told) == (mode in ("text", "mix"))
    assert (plain != shown) == (mode in ("exemplar", "mix"))


def test_every_switch_changes_the_picture(stack: Stack, cases: list[Case], artefacts: Artefacts):
    def painted(**changes: object) -> bytes:
        return uni_paint(replace(QUICK, lr=1e-4, steps=1, **changes), stack)(cases[1], [1])[0].tobytes()

    changes = [{}, {"init": "mean_token"}, {"train_dtype": "bfloat16"}, {"swap_axes": False}, {"renormalise": True}]
    assert len({painted(**change) for change in changes}) == len(changes)


@pytest.mark.parametrize("box", [(0, 0, 64, 64), (8, 8, 12, 12), (60, 60, 61, 61), (0, 32, 64, 33)])
def test_any_mask_with_a_latent_cell_is_painted(
    box: tuple[int, int, int, int], stack: Stack, cases: list[Case], artefacts: Artefacts
):
    mask = Image.new("L", (64, 64))
    mask.paste(255, box)
    picture = uni_paint(replace(QUICK, steps=1), stack)(replace(cases[0], mask=mask), [1])[0]
    assert picture.size == (64, 64)
    assert np.asarray(picture).std() > 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_it_runs_in_the_layout_of_stable_diffusion(dtype: torch.dtype, cases: list[Case], artefacts: Artefacts):
    stack = random_stack(dtype)
    size = (stack.canvas, stack.canvas)
    case = replace(cases[0], background=cases[0].background.resize(size), mask=cases[0].mask.resize(size))
    seen, weights = [], {name: tensor.clone() for name, tensor in stack.unet.state_dict().items()}

    def look(_module: object, inputs: tuple, keywords: dict) -> None:
        context = keywords["encoder_hidden_states"]
        seen.append((tuple(inputs[0].shape), inputs[0].dtype, tuple(context.shape), context.dtype))

    stack.unet.register_forward_pre_hook(look, with_kwargs=True)
    pictures = uni_paint(QUICK, stack)(case, [1, 2, 3])
    assert [picture.size for picture in pictures] == [size] * 3
    tuning, painting = (
        ((2, 4, 16, 16), torch.float32, (2, 77, 32), torch.float32),
        ((6, 4, 16, 16), dtype, (6, 77, 32), dtype),
    )
    assert seen == [tuning, painting, painting]
    for name, tensor in stack.unet.state_dict().items():
        assert tensor.dtype == dtype
        assert torch.equal(tensor, weights[name])


def test_a_long_prompt_is_cut_and_said(stack: Stack, cases: list[Case], caplog: pytest.LogCaptureFixture):
    long = replace(cases[0], prompt=" ".join(["cat"] * 45 + ["brown", "dog"]))
    with caplog.at_level(logging.WARNING):
        CONTEXTS["mix"](long, UniPaintSettings(mode="mix"), stack)
    assert any("lost" in record.getMessage() and "dog" in record.getMessage() for record in caplog.records)
    with pytest.raises(PaintingError, match=r"put \{\} before \{prompt\}"):
        CONTEXTS["mix"](long, UniPaintSettings(mode="mix", template="{prompt} {}"), stack)


def test_bad_input_is_one_clear_line(stack: Stack, artefacts: Artefacts):
    wide = replace(stack, loaders=replace(stack.loaders, unet=stack.loaders.inpaint_unet))
    for bad, changes, message in (
        (stack, {"mode": "exemplars"}, "did you mean 'exemplar'"),
        (stack, {"train_dtype": "float16"}, "unknown train_dtype of uni_paint 'float16'"),
        (stack, {"init": "nearest"}, "did you mean 'nearest_word'"),
        (stack, {"template": "a photo"}, "say {} once"),
        (wide, {}, "reads 9 input channels, not 4"),
    ):
        with pytest.raises(UserError, match=message) as error:
            uni_paint(replace(QUICK, **changes), bad)
        assert "\n" not in str(error.value)
