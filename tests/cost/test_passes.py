"""Counted passes are what the methods do, counted by hooks on networks that compute every pass."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from random_stack import CANVAS, random_stack

from spin_bench.core.case import Case
from spin_bench.cost.forecast import operations
from spin_bench.cost.passes import Passes, count_passes
from spin_bench.datasets.entry import Entry
from spin_bench.datasets.tficon import load_case
from spin_bench.diffusion.vocabulary import _whole_words
from spin_bench.methods.baselines.blended_diffusion import BlendedDiffusionSettings
from spin_bench.methods.baselines.blended_latent_diffusion import BlendedLatentDiffusionSettings
from spin_bench.methods.baselines.powerpaint import PowerPaintSettings
from spin_bench.methods.baselines.sd_inpaint import SdInpaintSettings
from spin_bench.methods.baselines.uni_paint import UniPaintSettings
from spin_bench.methods.method import Method
from spin_bench.methods.painter import Painter
from spin_bench.methods.registry import methods
from spin_bench.models.stack import Stack
from spin_bench.spin.painter import SpinSettings
from spin_bench.spin.references import EmbeddingSettings
from spin_bench.store.artefacts import Artefacts

SPIN = SpinSettings(steps=4, embedding=EmbeddingSettings(iterations=3, batch=2, saliency="none"))
GUIDE = Path(__file__).parents[2] / "docs" / "paper-scale.md"
# GFLOP of one row at 512 px, as `operations_per_row` counts them on the published layouts.
PER_ROW = {
    "unet": 803_300_000_000,
    "inpaint_unet": 803_400_000_000,
    "powerpaint.unet": 803_400_000_000,
    "pixel.unet": 2_239_700_000_000,
    "vae.encoder": 1_116_700_000_000,
    "vae.decoder": 2_514_500_000_000,
    "text_encoder": 13_300_000_000,
    "powerpaint.text_encoder": 13_300_000_000,
    "clip.image": 162_000_000_000,
    "guide.image": 35_100_000_000,
    "guide.text": 6_000_000_000,
}
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


def with_guide(stack: Stack) -> Stack:
    """A stack like it that has nothing loaded yet, and a guide of its own."""
    return replace(stack, loaders=replace(stack.loaders, guide=stack.loaders.clip))


def _networks(stack: Stack) -> dict[str, torch.nn.Module]:
    return {
        "unet": stack.unet,
        "inpaint_unet": stack.inpaint_unet,
        "powerpaint.unet": stack.powerpaint.unet,
        "pixel.unet": stack.pixel.unet,
        "vae.encoder": stack.vae.encoder,
        "vae.decoder": stack.vae.decoder,
        "text_encoder": stack.text_encoder,
        "powerpaint.text_encoder": stack.powerpaint.text_encoder,
        **{f"{role}.image": getattr(stack, role)._model.visual for role in ("clip", "guide")},
        **{f"{role}.text": getattr(stack, role)._model.transformer for role in ("clip", "guide")},
    }


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
    return with_guide(random_stack())


@pytest.fixture(scope="module")
def case(benchmark_root) -> Case:
    from spin_bench.datasets.tficon import scan

    entry: Entry = scan(benchmark_root).entries[0]
    return load_case(entry, CANVAS)


@pytest.mark.parametrize("name", SETTINGS)
def test_the_count_is_what_the_method_does(name: str, small_stack: Stack, case: Case, artefacts: Artefacts):
    (method, settings), images = SETTINGS[name], 3
    record = methods()[method]
    expected = count_passes(record, settings, images, stack=small_stack, case=case)
    painter = record.painter(settings, small_stack.keeping(artefacts))
    small_stack.clip.encode_words([word for word, _ in _whole_words(small_stack)])  # kept for all cases
    with _counting(_networks(small_stack)) as counted:
        pictures = painter(case, list(range(images)))
    assert len(pictures) == images
    for what in ("forward", "backward", "weights"):
        assert +getattr(counted, what) == +getattr(expected, what), what


def test_a_plug_in_is_counted_as_well(small_stack: Stack, case: Case):
    def build(settings: object, stack: Stack) -> Painter:
        def paint(case: Case, seeds: Sequence[int]) -> list[Image.Image]:
            stack.vae.decode(torch.zeros(len(seeds), 4, 8, 8))
            return [case.background for _ in seeds]

        return paint

    method = Method("Mine", object, build, "1", uses=("vae",))
    assert count_passes(method, None, 5, stack=small_stack, case=case) == Passes(Counter({"vae.decoder": 5}))


@pytest.fixture(scope="module")
def published(stack: Stack, cases: list[Case]) -> dict[str, Passes]:
    """The passes of every competitor at the published settings, four images a case and 32 of Blended."""
    small = with_guide(stack)
    known = {name: methods()[name] for name in methods() if not methods()[name].bound}
    return {
        name: count_passes(method, method.settings(), 32 if method.batch else 4, stack=small, case=cases[0])
        for name, method in known.items()
    }


def test_the_paper_s_protocol_in_passes(published: dict[str, Passes]):
    """The figures of docs/paper-scale.md."""
    assert published["spin"].forward["unet"] == 200 + 4 * 100
    assert published["spin"].backward == Counter({"unet": 200, "text_encoder": 200})
    assert published["blended_diffusion"].forward["pixel.unet"] == 32 * 75
    assert published["blended_diffusion"].backward["guide.image"] == 32 * 74 * 8
    assert published["blended_latent_diffusion"].forward["unet"] == 4 * 2 * 38
    assert published["sd_inpaint"].forward["inpaint_unet"] == published["powerpaint"].forward["powerpaint.unet"] == 400
    assert published["uni_paint"].forward["unet"] == 200 + 400
    assert published["uni_paint"].weights["unet"] == 200


def test_the_guide_s_hours_are_the_counted_passes(published: dict[str, Passes]):
    for name, passes in published.items():
        work = 237 * operations(passes, PER_ROW)
        title = re.escape(methods()[name].title)
        row = re.search(rf"^\| {title} \| (\d+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", GUIDE.read_text(), re.M)
        assert row is not None
        assert int(row[1]) == round(work / 1e15)
        for rate, hours in zip((20, 50, 150), row.groups()[1:], strict=True):
            assert float(hours) == pytest.approx(work / rate / 1e12 / 3600, abs=0.051)
