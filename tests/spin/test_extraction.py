"""Learning an embedding: one step against its equations, and every way to learn."""

from dataclasses import replace

import pytest
import torch
from PIL import Image

from spin_bench.core.case import Case
from spin_bench.core.errors import UserError
from spin_bench.diffusion.latents import encode
from spin_bench.diffusion.placeholders import encode_slotted, slotted_prompt
from spin_bench.diffusion.region_attention import pair, region_attention
from spin_bench.diffusion.text import encode_prompt
from spin_bench.diffusion.vocabulary import initial_vectors
from spin_bench.models.stack import Stack
from spin_bench.spin.backbone import BEHIND
from spin_bench.spin.extraction import Target, extract
from spin_bench.spin.references import reference_embeddings
from spin_bench.spin.saliency import reference_image
from spin_bench.spin.settings import EmbeddingSettings
from spin_bench.store.artefacts import Artefacts

TRUE = EmbeddingSettings(saliency="reference_mask", iterations=1)


@pytest.fixture
def null(stack: Stack) -> torch.Tensor:
    return encode_prompt(stack.tokenizer, stack.text_encoder, "")


@pytest.fixture
def target(stack: Stack, cases: list[Case]) -> Target:
    saliency = torch.zeros(1, 1, 16, 16)
    saliency[..., 4:10, 5:11] = 1
    latents = encode(stack.vae, reference_image(cases[0], stack))
    start = initial_vectors(stack, reference_image(cases[0], stack), init="mean_token", vectors=1)
    return Target(latents, saliency, saliency, start, seed=7)


@pytest.mark.parametrize("learns", ["token_vectors", "conditioning"])
def test_an_iteration_is_a_step_of_adamw_down_the_salient_loss(
    learns: str, stack: Stack, target: Target, null: torch.Tensor
):
    settings = replace(TRUE, learns=learns, lr=1e-2, weight_decay=0.1)
    found = extract(stack, [target], null, settings, backbone="text_to_image")

    generator = torch.Generator().manual_seed(7)
    t = torch.randint(1000, (1,), generator=generator)
    noise = torch.randn(1, 4, 16, 16, generator=generator)
    alphas = torch.cumprod(1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2, 0)
    noisy = alphas[t].sqrt() * target.latents + (1 - alphas[t]).sqrt() * noise
    prompt = slotted_prompt(stack, "a photo of {}", 1)
    start = target.initial[None]
    if learns == "conditioning":
        start = encode_slotted(stack, prompt, start).detach()
    variable = start.clone().requires_grad_()
    with region_attention(stack.unet, target.region):
        states = encode_slotted(stack, prompt, variable) if learns == "token_vectors" else variable
        seen = stack.unet(noisy, t, encoder_hidden_states=pair(states, null)).sample
    rows, columns = slice(4, 10), slice(5, 11)
    loss = (seen - noise)[..., rows, columns].pow(2).mean()
    (gradient,) = torch.autograd.grad(loss, variable)
    expected = start * (1 - 1e-2 * 0.1) - 1e-2 * gradient / (gradient.abs() + 1e-8)
    clear = gradient.abs() > 1e-6  # below, the sign hangs on rounding
    assert clear.float().mean() > 0.3
    torch.testing.assert_close(found[clear], expected[clear], atol=2e-4, rtol=0)


def test_without_iterations_the_start_is_the_embedding(stack: Stack, target: Target, null: torch.Tensor):
    settings = replace(TRUE, iterations=0)
    assert torch.equal(extract(stack, [target], null, settings, backbone="text_to_image")[0], target.initial)
    whole = extract(stack, [target], null, replace(settings, learns="conditioning"), backbone="text_to_image")
    plain = encode_slotted(stack, slotted_prompt(stack, "a photo of {}", 1), target.initial[None])
    torch.testing.assert_close(whole, plain)


SEVERAL = {"vectors": 2, "batch": 2, "augmentation": "flip_scale_shift", "templates": "varied", "non_salient": "grey"}
WHOLE = {"learns": "conditioning", "non_salient": "cropped", "init": "class_noun"}


@pytest.mark.parametrize(("options", "backbone"), [(SEVERAL, "text_to_image"), (WHOLE, "inpaint")])
def test_any_way_to_learn_is_the_same_together_and_alone(
    options: dict, backbone: str, stack: Stack, cases: list[Case], artefacts: Artefacts
):
    settings = replace(TRUE, iterations=5, lr=5e-3, **options)
    together = reference_embeddings(cases[:2], settings, stack.keeping(artefacts), backbone=backbone)
    for case, found in zip(cases, together, strict=False):
        (alone,) = reference_embeddings([case], settings, stack.keeping(Artefacts()), backbone=backbone)
        torch.testing.assert_close(found.value, alone.value, atol=1e-4, rtol=0)
    assert not torch.allclose(together[0].value, together[1].value, atol=1e-2)


def test_what_decides_an_embedding_names_it(stack: Stack, cases: list[Case], artefacts: Artefacts):
    """The prompt decides only where it is read, the backbone always."""
    settings, other = replace(TRUE, iterations=0), replace(cases[0], prompt="a photo of a dog on the beach")

    def kept() -> int:
        return len(list((artefacts.folder / "embedding").glob("*.safetensors")))

    for case in (cases[0], other):
        reference_embeddings([case], settings, stack.keeping(artefacts))
    assert kept() == 1
    for case in (cases[0], other):
        reference_embeddings([case], replace(settings, init="class_noun"), stack.keeping(artefacts))
    assert kept() == 3
    reference_embeddings([other], settings, stack.keeping(artefacts), backbone="inpaint")
    assert kept() == 4


def test_the_noun_is_the_word_of_the_prompt_that_clip_sees(stack: Stack, cases: list[Case]):
    table, case = stack.text_encoder.get_input_embeddings().weight, next(case for case in cases if not case.novel)
    grey = Image.new("RGB", case.reference.size, (127, 127, 127))
    alone = Image.composite(case.reference, grey, case.reference_mask)
    salient = reference_image(replace(case, reference=alone), stack)

    def start(prompt: str) -> torch.Tensor:
        return initial_vectors(stack, salient, init="class_noun", vectors=1, prompt=prompt)[0]

    for word in (case.subject, "brick"):
        (index,) = stack.tokenizer(word, add_special_tokens=False).input_ids
        assert torch.equal(start(f"a {word}"), table[index])
    assert torch.equal(start(f"brick in a {case.subject}!"), start(case.subject))
    parts = stack.tokenizer("zyxwqt", add_special_tokens=False).input_ids
    assert len(parts) > 1
    torch.testing.assert_close(start("zyxwqt"), table[parts].mean(0))
    with pytest.raises(UserError, match="the prompt has no word"):
        start("a 12")


def test_an_inpainting_backbone_reads_the_mask_and_what_is_known(stack: Stack):
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    cells = torch.zeros(1, 1, 16, 16)
    cells[..., 2:8, 3:9] = 1
    hollow = image.clone()
    hollow[..., 8:32, 12:36] = 0
    known = BEHIND["inpaint"](image, torch.nn.functional.interpolate(cells, (64, 64)), cells, stack)
    assert torch.equal(known[:, :1], cells)
    torch.testing.assert_close(known[:, 1:], encode(stack.vae, hollow))
    assert BEHIND["text_to_image"](image, cells, cells, stack) is None
