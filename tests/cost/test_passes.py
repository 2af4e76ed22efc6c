"""The formulas of `spin_bench.cost.passes` are what the methods do, counted by hooks on every network."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from random_stack import CANVAS, random_stack

from spin_bench.core.case import Case
from spin_bench.cost.passes import PASSES, Passes
from spin_bench.datasets.entry import Entry
from spin_bench.datasets.tficon import load_case
from spin_bench.methods.baselines.blended_diffusion import BlendedDiffusionSettings
from spin_bench.methods.baselines.blended_latent_diffusion import BlendedLatentDiffusionSettings
from spin_bench.methods.baselines.powerpaint import PowerPaintSettings
from spin_bench.methods.baselines.sd_inpaint import SdInpaintSettings
from spin_bench.methods.baselines.uni_paint import UniPaintSettings
from spin_bench.methods.registry import methods
from spin_bench.models.stack import Stack
from spin_bench.spin.context import PHOTO, nearest_style, speaks_of_style
from spin_bench.spin.painter import SpinSettings
from spin_bench.spin.references import EmbeddingSettings
from spin_bench.store.artefacts import Artefacts

SPIN = SpinSettings(steps=4, embedding=EmbeddingSettings(iterations=3, batch=2, saliency="none"))
UNI = UniPaintSettings(steps=3, iterations=2)
BLENDED = BlendedDiffusionSettings(steps=4, aug_num=3)

SETTINGS = {
    "spin": ("spin", SPIN),
    "spin, no words of style": ("spin", replace(SPIN, style_words=0.0)),
    "spin, words of style alone": ("spin", replace(SPIN, style_words=1.0)),
    "spin, whole conditioning": ("spin", replace(SPIN, embedding=replace(SPIN.embedding, learns="conditioning"))),
    "spin, exact style": ("spin", replace(SPIN, style_exact=True)),
    "spin, masked by the benchmark, a mean token": (
        "spin",
        replace(SPIN, embedding=replace(SPIN.embedding, saliency="reference_mask", init="mean_token")),
    ),
    "blended": ("blended_diffusion", BLENDED),
    "blended, batches of three": ("blended_diffusion", replace(BLENDED, batch=3)),
    "blended, ddim": ("blended_diffusion", replace(BLENDED, ddim=True, skip_share=0.5)),
    "bld": ("blended_latent_diffusion", BlendedLatentDiffusionSettings(steps=8)),
    "sd_inpaint": ("sd_inpaint", SdInpaintSettings(steps=3)),
    "sd_inpaint, weak": ("sd_inpaint", SdInpaintSettings(steps=4, strength=0.5, guidance_scale=1.0)),
    "sd_inpaint, four channels": ("sd_inpaint", SdInpaintSettings(steps=2, unet="text_to_image")),
    "powerpaint": ("powerpaint", PowerPaintSettings(steps=3)),
    "powerpaint, shape": ("powerpaint", PowerPaintSettings(steps=2, task="shape", fitting_degree=0.6)),
    "uni": ("uni_paint", UNI),
    "uni, text": ("uni_paint", replace(UNI, mode="text")),
}


def _networks(stack: Stack, method: str) -> dict[str, torch.nn.Module]:
    clip = "guide.image" if method == "blended_diffusion" else "clip.image"  # this stack has one CLIP for both
    found = {
        "unet": stack.unet,
        "inpaint_unet": stack.inpaint_unet,
        "powerpaint.unet": stack.powerpaint.unet,
        "pixel": stack.pixel.unet,
        "vae.encoder": stack.vae.encoder,
        "vae.decoder": stack.vae.decoder,
        "text_encoder": stack.text_encoder,
        "powerpaint.text_encoder": stack.powerpaint.text_encoder,
        clip: stack.guide._model.visual,
    }
    return {**found, "guide.text": stack.guide._model.transformer} if method == "blended_diffusion" else found


@contextmanager
def _counting(networks: dict[str, torch.nn.Module]) -> Iterator[Passes]:
    counted = Passes()

    def hook(name: str, tuned: torch.nn.Module):
        def count(_module, args, kwargs, output):
            first = output if isinstance(output, torch.Tensor) else output[0]
            rows = len(first)
            counted.forward[name] += rows
            if first.requires_grad:
                weights = next(tuned.parameters()).requires_grad

                def backward(gradient):
                    counted.backward[name] += len(gradient)
                    counted.weights[name] += len(gradient) if weights else 0

                first.register_hook(backward)

        return count

    handles = [
        network.register_forward_hook(hook(name, network), with_kwargs=True) for name, network in networks.items()
    ]
    try:
        yield counted
    finally:
        for handle in handles:
            handle.remove()


@pytest.fixture(scope="module")
def small_stack() -> Stack:
    return random_stack()


@pytest.fixture(scope="module")
def case(benchmark_root) -> Case:
    from spin_bench.datasets.tficon import scan

    entry: Entry = scan(benchmark_root).entries[0]
    return load_case(entry, CANVAS)


@pytest.mark.parametrize("name", SETTINGS)
def test_the_formula_is_what_the_method_does(name: str, small_stack: Stack, case: Case, artefacts: Artefacts):
    method, settings = SETTINGS[name]
    painter = methods()[method].painter(settings, small_stack.keeping(artefacts))
    small_stack.clip.encode_words(["a"])
    mixed = method == "spin" and speaks_of_style(settings) and settings.style_words < 1
    other_style = mixed and nearest_style(case, small_stack) != PHOTO
    with _counting(_networks(small_stack, method)) as counted:
        pictures = painter(case, [1, 2])
    assert len(pictures) == 2
    expected = PASSES[method](settings, 2)
    expected.forward["text_encoder"] += int(other_style)  # the formula is a photograph's
    for what in ("forward", "backward", "weights"):
        assert +getattr(counted, what) == +getattr(expected, what), what


def test_every_competitor_says_what_it_costs():
    assert set(PASSES) == {name for name, method in methods().items() if not method.bound}


def test_the_paper_s_protocol_in_passes():
    """The figures of docs/paper-scale.md, at the published settings."""
    totals = {
        name: PASSES[name](method.settings(), 32 if name == "blended_diffusion" else 4)
        for name, method in methods().items()
        if name in PASSES
    }
    assert totals["spin"].forward["unet"] == 200 + 4 * 100
    assert totals["spin"].backward == Counter({"unet": 200, "text_encoder": 200})
    assert totals["blended_diffusion"].forward["pixel"] == 32 * 75
    assert totals["blended_diffusion"].backward["guide.image"] == 32 * 74 * 8
    assert totals["blended_latent_diffusion"].forward["unet"] == 4 * 2 * 38
    assert totals["sd_inpaint"].forward["inpaint_unet"] == totals["powerpaint"].forward["powerpaint.unet"] == 400
    assert totals["uni_paint"].forward["unet"] == 200 + 400
    assert totals["uni_paint"].weights["unet"] == 200
