"""Painting against its equations, loops and all, for one switch after another."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from random_stack import random_stack
from scipy.ndimage import gaussian_filter
from torch import Tensor

from spin_bench.core.case import Case
from spin_bench.core.errors import UserError
from spin_bench.diffusion.latents import decode, encode, latent_mask, mask_to_tensor, to_pictures, to_tensor
from spin_bench.diffusion.placeholders import encode_slotted, slotted_prompt
from spin_bench.diffusion.region_attention import region_attention
from spin_bench.diffusion.text import encode_prompt
from spin_bench.models.stack import Stack
from spin_bench.spin.painter import spin, spin_together
from spin_bench.spin.references import reference_embeddings
from spin_bench.spin.settings import EmbeddingSettings, SpinSettings
from spin_bench.store.artefacts import Artefacts

STEPS = 4
STYLE_OF = {
    "real": "a photo",
    "cartoon": "a cartoon animation",
    "painting": "an oil painting",
    "sketch": "a pencil drawing",
}
PLAIN = SpinSettings(steps=STEPS, style_strength=0, embedding=EmbeddingSettings(iterations=0))


def _levels(a: Image.Image, b: Image.Image) -> int:
    return int(np.abs(np.asarray(a, np.int16) - np.asarray(b, np.int16)).max())


def _text(stack: Stack, text: str) -> Tensor:
    return encode_prompt(stack.tokenizer, stack.text_encoder, text)


def _soft(regions: Tensor, deviation: float) -> Tensor:
    return torch.from_numpy(gaussian_filter(regions.numpy(), deviation, mode="nearest", truncate=3, axes=(2, 3)))


def _said(text: str, case: Case, settings: SpinSettings) -> dict[str, float]:
    """What the region reads, and how much of it does."""
    style, words = STYLE_OF[case.domain], settings.style_words
    if "{style}" not in text or style == "a photo":
        return {text.replace("{style}", "a photo"): 1.0}
    return {text.replace("{style}", "a photo"): 1 - words, text.replace("{style}", style): words}


@torch.no_grad()
def _by_hand(
    case: Case, seed: int, settings: SpinSettings, stack: Stack, semantic: list[Tensor], regions: Tensor
) -> Image.Image:
    """Spin without style guidance, for the settings that the tests below use; a context for each of `regions`."""
    shares = regions.amax((2, 3), keepdim=True)
    alphas = torch.cumprod(1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2, 0)
    noise = torch.randn(4, 16, 16, generator=torch.Generator().manual_seed(seed))[None]
    mask, z0 = regions.sum(1, keepdim=True), encode(stack.vae, to_tensor(case.background))
    null = _text(stack, "")
    outside = {"nothing": null, "prompt": _text(stack, case.prompt)}[settings.outside]
    contexts = torch.cat([torch.cat([null] * (len(semantic) + 1), 1), torch.cat([*semantic, outside], 1)])
    unet, behind = stack.unet, torch.zeros(2, 0, 16, 16)
    if settings.backbone == "inpaint":
        hollow = encode(stack.vae, to_tensor(case.background) * (1 - mask_to_tensor(case.mask)))
        unet, behind = stack.inpaint_unet, torch.cat([mask, hollow], 1).repeat(2, 1, 1, 1)
    spacing = 1000 // STEPS
    ts = [1 + spacing * i for i in range(STEPS)][::-1]
    z = noise
    if settings.start == "background":
        z = alphas[ts[0]].sqrt() * z0 + (1 - alphas[ts[0]]).sqrt() * noise
    for index, t in enumerate(ts):
        region = _soft(regions, settings.soft_edges) if settings.region_injection else shares.expand_as(regions)
        if index >= settings.injection_stop * STEPS:
            region = torch.zeros_like(regions)
        with region_attention(unet, region):
            seen = unet(torch.cat([torch.cat([z, z]), behind], 1), t, encoder_hidden_states=contexts).sample
        eps = seen[:1] + 7.5 * (seen[1:] - seen[:1])
        after = alphas[max(t - spacing, 0)]
        x0 = (z - (1 - alphas[t]).sqrt() * eps) / alphas[t].sqrt()
        z = after.sqrt() * x0 + (1 - after).sqrt() * eps
        level = alphas[t] if settings.blending == "current" else after
        known = level.sqrt() * z0 + (1 - level).sqrt() * noise
        if index == STEPS - 1 and settings.blending == "next":
            known = z0
        if settings.blending != "none":
            z = z * mask + known * (1 - mask)
    image = decode(stack.vae, z)
    if settings.paste == "paste":
        cover = mask_to_tensor(case.mask)
        image = image * cover + to_tensor(case.background) * (1 - cover)
    return to_pictures(image)[0]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"backbone": "inpaint"},
        {"outside": "prompt", "injection_stop": 0.5},
        {"start": "background", "blending": "none"},
        {"region_injection": False, "blending": "current", "paste": "paste"},
        {"text": "{} made of glass"},
        {"text": ""},
        {"style_words": 0.2, "soft_edges": 0.7},
        {"text": "{prompt}"},
    ],
    ids=str,
)
def test_painting_is_its_equations(changes: dict, stack: Stack, cases: list[Case], artefacts: Artefacts):
    settings = replace(PLAIN, **changes)
    for case in (cases[1], next(case for case in cases if case.domain != "real")):
        painted = spin(settings, stack.keeping(artefacts))(case, [21])[0]
        shares = {"": 1.0}
        if settings.text == "{prompt}":
            semantic = [_text(stack, case.prompt)]
        else:
            (found,) = reference_embeddings(
                [case], settings.embedding, stack.keeping(artefacts), backbone=settings.backbone
            )
            shares = _said(settings.text or "a photo of {}", case, settings)
            semantic = [encode_slotted(stack, slotted_prompt(stack, text, 1), found.value) for text in shares]
        region = latent_mask(case.mask, stack.vae)
        regions = torch.cat([share * region for share in shares.values()], 1)
        assert _levels(painted, _by_hand(case, 21, settings, stack, semantic, regions)) <= 1


def test_a_text_without_a_place_never_sees_the_reference(
    stack: Stack, cases: list[Case], artefacts: Artefacts, monkeypatch: pytest.MonkeyPatch
):
    def never(*args: object, **options: object) -> None:
        raise AssertionError("read the reference")

    monkeypatch.setattr("spin_bench.spin.painter.reference_embeddings", never)
    paint = spin(replace(PLAIN, text="{prompt}"), stack.keeping(artefacts))
    other = replace(cases[0], reference=cases[1].reference, reference_mask=None)
    assert paint(cases[0], [3])[0].tobytes() == paint(other, [3])[0].tobytes()
    assert paint(cases[0], [3])[0].tobytes() != paint(replace(cases[0], prompt="a photo of a dog"), [3])[0].tobytes()


def _halves(case: Case, other: Case) -> list[Case]:
    """Two references for one background, a mask each."""
    masks = [Image.new("L", (64, 64)) for _ in range(2)]
    for mask, left in zip(masks, (4, 36), strict=True):
        mask.paste(255, (left, 20, left + 24, 44))
    return [replace(case, mask=masks[0]), replace(other, background=case.background, mask=masks[1])]


def test_several_references_share_a_picture(stack: Stack, cases: list[Case], artefacts: Artefacts):
    paint, alone = spin_together(PLAIN, stack.keeping(artefacts)), spin(PLAIN, stack.keeping(artefacts))
    assert paint(cases[:1], [5])[0].tobytes() == alone(cases[0], [5])[0].tobytes()
    both = _halves(cases[0], cases[1])
    painted = paint(both, [5])[0]
    prompt = slotted_prompt(stack, f"{STYLE_OF[cases[0].domain]} of {{}}", 1)
    found = reference_embeddings(both, PLAIN.embedding, stack.keeping(artefacts))
    semantic = [encode_slotted(stack, prompt, artefact.value) for artefact in found]
    regions = torch.cat([latent_mask(case.mask, stack.vae) for case in both], 1)
    assert _levels(painted, _by_hand(both[0], 5, PLAIN, stack, semantic, regions)) <= 1
    assert _levels(painted, _by_hand(both[0], 5, PLAIN, stack, semantic[::-1], regions)) > 8


def test_references_that_cannot_share_a_picture_are_refused(stack: Stack, cases: list[Case], artefacts: Artefacts):
    with pytest.raises(UserError, match="different backgrounds"):
        spin_together(PLAIN, stack.keeping(artefacts))(cases[:2], [1])
    with pytest.raises(UserError, match="several references need"):
        spin_together(replace(PLAIN, injection="after_softmax"), stack.keeping(artefacts))(_halves(*cases[:2]), [1])


def test_a_mask_of_several_parts_and_a_reference_of_a_few_pixels(stack: Stack, cases: list[Case], artefacts: Artefacts):
    first, second = _halves(cases[0], cases[1])
    mask = Image.composite(first.mask, second.mask, first.mask)
    small = [picture.resize((7, 9)) for picture in (first.reference, first.reference_mask)]
    case = replace(first, mask=mask, reference=small[0], reference_mask=small[1])
    painted = np.asarray(spin(replace(PLAIN, style_strength=0.03), stack.keeping(artefacts))(case, [1])[0], np.int16)
    moved = np.abs(painted - np.asarray(case.background, np.int16)).mean(2)
    for part in (first.mask, second.mask):
        assert moved[np.asarray(part) > 0].mean() > 2 * moved[np.asarray(mask) == 0].mean()


ELSEWHERE = [
    {"injection": "token_column", "style_features": "clip", "style_exact": True, "outside": "prompt"},
    {"backbone": "inpaint", "injection_grids": "coarse", "style_features": "decoder", "paste": "feathered"},
    {"injection": "after_softmax", "soft_edges": 1.0, "style_statistic": "gram", "start": "background"},
]
LEARNING = [
    {"vectors": 3, "non_salient": "cropped", "augmentation": "flip_scale_shift", "dilation": 1},
    {"learns": "conditioning", "non_salient": "grey"},
    {"templates": "varied", "init": "class_noun", "batch": 2},
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize(("changes", "learning"), zip(ELSEWHERE, LEARNING, strict=True), ids=[0, 1, 2])
def test_switches_hold_on_a_stack_of_other_sizes(
    changes: dict, learning: dict, dtype: torch.dtype, cases: list[Case], artefacts: Artefacts
):
    stack = random_stack(dtype)
    case = replace(cases[0], **{name: getattr(cases[0], name).resize((128, 128), 0) for name in ("background", "mask")})
    if learning.get("learns") == "conditioning":
        changes = {**changes, "injection": "two_contexts"}
    embedding = EmbeddingSettings(iterations=1, saliency="reference_mask", **learning)
    settings = SpinSettings(steps=2, embedding=embedding, **changes)
    (picture,) = spin(settings, stack.keeping(artefacts))(case, [1])
    assert picture.size == (128, 128)
    assert np.asarray(picture).std() > 0
