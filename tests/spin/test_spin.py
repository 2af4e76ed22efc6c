"""Spin's parts: saliency, embedding, style."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from spin_bench.core.case import Case
from spin_bench.core.errors import UserError
from spin_bench.diffusion.guidance import Prediction
from spin_bench.diffusion.latents import encode
from spin_bench.diffusion.placeholders import encode_slotted, slotted_prompt
from spin_bench.diffusion.region_attention import pair, region_attention
from spin_bench.diffusion.sampler import Step
from spin_bench.diffusion.text import encode_prompt, tokenise
from spin_bench.diffusion.vocabulary import initial_vectors
from spin_bench.models.stack import Stack
from spin_bench.spin.extraction import Target, extract
from spin_bench.spin.references import reference_embeddings
from spin_bench.spin.saliency import reference_image, saliency_map
from spin_bench.spin.settings import EmbeddingSettings
from spin_bench.spin.style import gram, mean_std, style_correction, style_distance, style_gradient
from spin_bench.store.artefacts import Artefacts

OWN_MASK = EmbeddingSettings(saliency="reference_mask")


def test_a_known_word_in_the_slot_is_that_word(stack: Stack):
    """Splicing a vocabulary word's own vector gives the hidden states of the plain prompt."""
    word = stack.tokenizer("cat", add_special_tokens=False).input_ids
    vector = stack.text_encoder.get_input_embeddings().weight[word]
    spliced = encode_slotted(stack, slotted_prompt(stack, "a photo of {} on the grass", 1), vector[None])
    plain = encode_prompt(stack.tokenizer, stack.text_encoder, "a photo of cat on the grass")
    torch.testing.assert_close(spliced, plain, atol=1e-5, rtol=1e-4)
    assert not stack.text_encoder.get_input_embeddings()._forward_hooks


def test_a_prompt_without_room_is_an_error(stack: Stack):
    with pytest.raises(UserError, match="longer than the text encoder's window"):
        slotted_prompt(stack, "a photo of {}", 60)


def test_words_beyond_the_window_are_named(stack: Stack, caplog: pytest.LogCaptureFixture):
    ids = tokenise(stack.tokenizer, "a cat " * 40 + "banana")
    assert ids.shape == (1, stack.tokenizer.model_max_length)
    assert "banana" in caplog.text


def _salient_loss(stack: Stack, latents, saliency, vectors, null) -> float:
    """The extraction's loss on fixed noise, computed apart from it."""
    prompt = slotted_prompt(stack, "a photo of {}", vectors.shape[1])
    generator, total = torch.Generator().manual_seed(9), 0.0
    with torch.no_grad(), region_attention(stack.unet, saliency):
        context = pair(encode_slotted(stack, prompt, vectors), null)
        for t in range(40, 1000, 80):
            noise = torch.randn(latents.shape, generator=generator)
            noisy = stack.scheduler.add_noise(latents, noise, torch.tensor([t]))
            error = (stack.unet(noisy, t, encoder_hidden_states=context).sample - noise).pow(2) * saliency
            total += float(error.sum() / saliency.sum() / latents.shape[1])
    return total


def test_extraction_explains_the_salient_part_better(stack: Stack, cases: list[Case]):
    saliency = saliency_map(cases[0], stack, OWN_MASK)
    latents = encode(stack.vae, reference_image(cases[0], stack))
    null = encode_prompt(stack.tokenizer, stack.text_encoder, "")
    start = initial_vectors(stack, reference_image(cases[0], stack), init="mean_token", vectors=1)
    settings = EmbeddingSettings(iterations=40, lr=5e-3, batch=2)
    target = Target(latents, saliency, saliency, start, seed=1)
    learned = extract(stack, [target], null, settings, backbone="text_to_image")
    assert _salient_loss(stack, latents, saliency, learned, null) < _salient_loss(
        stack, latents, saliency, start[None], null
    )


def test_an_embedding_is_extracted_once(
    stack: Stack, cases: list[Case], artefacts: Artefacts, monkeypatch: pytest.MonkeyPatch
):
    settings = EmbeddingSettings(iterations=1)
    (first,) = reference_embeddings(cases[:1], settings, stack.keeping(artefacts))

    def never(*args: object, **options: object) -> None:
        raise AssertionError("extracted again")

    monkeypatch.setattr("spin_bench.spin.references.extract", never)
    (again,) = reference_embeddings([replace(cases[0], id="elsewhere")], settings, stack.keeping(artefacts))
    assert torch.equal(first.value, again.value)
    assert first.seconds == again.seconds > 0
    with pytest.raises(AssertionError, match="again"):
        reference_embeddings(cases[:1], replace(settings, lr=1e-3), stack.keeping(artefacts))


def test_references_are_extracted_together_as_if_alone(stack: Stack, cases: list[Case], tmp_path: Path):
    settings = EmbeddingSettings(iterations=12, batch=2, lr=5e-3)
    twin = replace(cases[1], id="twin")
    kept = Artefacts(tmp_path / "together")
    together = reference_embeddings([*cases[:3], twin], settings, stack.keeping(kept))
    alone = [reference_embeddings([c], settings, stack.keeping(Artefacts()))[0] for c in cases[:3]]
    for a, b in zip(together[:3], alone, strict=True):
        torch.testing.assert_close(a.value, b.value, atol=1e-4, rtol=0)
    assert torch.equal(together[3].value, together[1].value)
    assert not torch.allclose(together[0].value, together[1].value, atol=1e-2)
    assert len(list((tmp_path / "together" / "embedding").rglob("*.safetensors"))) == 3


def test_learned_saliency_finds_the_object(stack: Stack, cases: list[Case]):
    overlaps = []
    for case in cases:
        truth = saliency_map(case, stack, OWN_MASK)
        found = saliency_map(case, stack, EmbeddingSettings())
        overlaps.append(float((truth * found).sum() / ((truth + found) > 0).sum()))
    assert sum(overlaps) / len(overlaps) > 0.8


def test_statistics_are_those_of_the_masked_pixels():
    torch.manual_seed(0)
    features, mask = torch.randn(2, 3, 6, 6), torch.zeros(1, 1, 6, 6)
    mask[..., :2, :3] = 1
    inside = features[..., :2, :3].flatten(2)
    expected = torch.cat([inside.mean(2), inside.std(2, correction=0)], 1)
    torch.testing.assert_close(mean_std(features, mask), expected, atol=1e-5, rtol=1e-4)
    moments = inside @ inside.transpose(1, 2) / 6
    torch.testing.assert_close(gram(features, mask), moments.flatten(1), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("statistic", ["mean_std", "gram"])
def test_equal_style_is_no_distance(statistic: str):
    half = torch.randn(1, 4, 8, 4, generator=torch.Generator().manual_seed(0))
    picture, mask = torch.cat([half, half], -1), torch.zeros(1, 1, 8, 8)
    mask[..., :4] = 1
    assert style_distance(picture, picture, mask, statistic=statistic).item() < 1e-10
    assert style_distance(picture + mask, picture, mask, statistic=statistic).item() > 0.1


@pytest.mark.parametrize("exact", [False, True])
def test_the_style_gradient_is_a_finite_difference(exact: bool, stack: Stack):
    generator = torch.Generator().manual_seed(3)
    previous, background, direction = (torch.randn(1, 4, 4, 4, generator=generator).double() for _ in range(3))
    mask = torch.zeros(1, 1, 4, 4, dtype=torch.double)
    mask[..., 1:3, 1:3] = 1
    t, alpha = 500, stack.scheduler.alphas_cumprod[500].double()

    def predict(latents, _t):
        return Prediction(latents.tanh(), latents.tanh())

    def x0_of(latents):
        return (latents - (1 - alpha).sqrt() * latents.tanh()) / alpha.sqrt()

    step = Step(0, t, 480, previous, x0_of(previous), previous.tanh(), previous)
    options = {"statistic": "mean_std", "predict_noise": predict, "scheduler": stack.scheduler}
    gradient = style_gradient(step, [background], mask, features=lambda x0: [x0], exact=exact, **options)

    def distance(offset):
        x0 = x0_of(previous + offset) if exact else x0_of(previous) + offset
        return style_distance(x0.float().double(), background, mask, statistic="mean_std").item()

    h = 1e-2
    numeric = (distance(h * direction) - distance(-h * direction)) / (2 * h)
    assert numeric == pytest.approx(float((gradient * direction).sum()), rel=0.02)


def test_the_correction_is_as_large_as_asked_and_stays_inside():
    generator = torch.Generator().manual_seed(4)
    guidance, gradient = (torch.randn(2, 4, 8, 8, generator=generator) for _ in range(2))
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., 2:6, 2:6] = 1
    step = Step(0, 1, 0, guidance, guidance, guidance, guidance)
    correction = style_correction(step, gradient, mask, strength=0.3)
    assert correction[..., :2, :].abs().max() == 0
    inside = (slice(None), slice(None), slice(2, 6), slice(2, 6))
    sizes = correction[inside].pow(2).mean((1, 2, 3)).sqrt() / guidance[inside].pow(2).mean((1, 2, 3)).sqrt()
    torch.testing.assert_close(sizes, torch.full((2,), 0.3), atol=1e-5, rtol=1e-4)
