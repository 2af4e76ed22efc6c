"""Every method on another device and in half precision: nothing meets where it must not, nor is rounded too soon."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace

import pytest
import torch
from fake_device import ELSEWHERE, Elsewhere, WrongDevice, fake_device
from random_stack import CANVAS, random_stack

from spin_bench.core.case import Case
from spin_bench.datasets.tficon import load_case, scan
from spin_bench.diffusion import guidance, placeholders, sampler
from spin_bench.methods.baselines.blended_diffusion import BlendedDiffusionSettings
from spin_bench.methods.baselines.blended_latent_diffusion import BlendedLatentDiffusionSettings
from spin_bench.methods.baselines.powerpaint import PowerPaintSettings
from spin_bench.methods.baselines.sd_inpaint import SdInpaintSettings
from spin_bench.methods.baselines.uni_paint import UniPaintSettings
from spin_bench.methods.registry import methods
from spin_bench.models.placement import Placement, Turns, set_numerics
from spin_bench.models.stack import Stack
from spin_bench.spin.settings import EmbeddingSettings, SpinSettings
from spin_bench.store.artefacts import Artefacts

SPIN = SpinSettings(steps=4, embedding=EmbeddingSettings(iterations=3, batch=2, saliency="none"))
UNI = UniPaintSettings(steps=3, iterations=2)
BLENDED = BlendedDiffusionSettings(steps=4, aug_num=3)

SETTINGS = {
    "spin": replace(SPIN, style_exact=True, embedding=replace(SPIN.embedding, saliency="reference_mask")),
    "blended_diffusion": replace(BLENDED, steps=2),
    "blended_latent_diffusion": BlendedLatentDiffusionSettings(steps=2),
    "sd_inpaint": SdInpaintSettings(steps=2),
    "powerpaint": PowerPaintSettings(steps=2),
    "uni_paint": UNI,
}


@pytest.fixture(scope="module")
def case(benchmark_root) -> Case:
    return load_case(scan(benchmark_root).entries[0], CANVAS)


def _elsewhere(stack: Stack) -> Stack:
    """`stack` with everything that it loads on the fake device."""
    loaders = stack.loaders

    def clip():
        model = loaders.clip()
        model._device, model._model = ELSEWHERE, model._model.to(ELSEWHERE)
        model.mean, model.std = model.mean.to(ELSEWHERE), model.std.to(ELSEWHERE)
        return model

    return replace(stack, device=ELSEWHERE, loaders=replace(loaders, clip=clip))


@pytest.mark.parametrize("method", SETTINGS)
def test_no_tensor_is_on_the_wrong_device(
    method: str, case: Case, artefacts: Artefacts, monkeypatch: pytest.MonkeyPatch
):
    # What torch has for accelerators alone, and refuses on a device that it does not know: here both change nothing.
    adam = torch.optim.Adam
    monkeypatch.setattr(torch.optim, "Adam", lambda parameters, lr, fused: adam(parameters, lr=lr))
    monkeypatch.setattr(torch, "autocast", lambda device, dtype, enabled: nullcontext())
    stack = random_stack()
    expected = methods()[method].painter(SETTINGS[method], stack.keeping(artefacts))(case, [1])[0]
    with fake_device():
        stack = _elsewhere(random_stack())
        fresh = Artefacts(artefacts.folder / "elsewhere")
        painted = methods()[method].painter(SETTINGS[method], stack.keeping(fresh))(case, [1])[0]
    difference = torch.tensor(list(painted.tobytes())).sub(torch.tensor(list(expected.tobytes()))).abs()
    assert difference.float().mean() < 1  # level: the same picture, computed with attention written out


def test_the_fake_device_would_notice():
    with fake_device():
        there = torch.ones(3, device=ELSEWHERE)
        assert isinstance(there, Elsewhere)
        assert (there * torch.tensor(2.0)).sum().item() == 6
        with pytest.raises(WrongDevice):
            there + torch.ones(3)


@contextmanager
def _watched(monkeypatch: pytest.MonkeyPatch, stack: Stack) -> Iterator[dict[str, set[torch.dtype]]]:
    """Which precisions pass each boundary."""
    seen: dict[str, set[torch.dtype]] = {"network": set(), "state": set(), "guidance": set(), "learned": set()}
    steps, adam = sampler.ddim, torch.optim.AdamW

    def watched_steps(predict, scheduler, latents, **options):
        def predicted(x, t):
            found = predict(x, t)
            seen["guidance"] |= {found.noise.dtype, found.guidance.dtype}
            return found

        for step in steps(predicted, scheduler, latents, **options):
            seen["state"] |= {step.latents.dtype, step.x0_pred.dtype}
            yield step

    def learning(parameters, **options):
        seen["learned"] |= {parameter.dtype for parameter in parameters}
        return adam(parameters, **options)

    for module in (
        "spin_bench.spin.generation",
        "spin_bench.methods.baselines.blended_latent_diffusion",
        "spin_bench.methods.baselines.uni_paint",
    ):
        monkeypatch.setattr(f"{module}.ddim", watched_steps)
    monkeypatch.setattr(placeholders.torch.optim, "AdamW", learning)
    handle = stack.unet.register_forward_pre_hook(lambda _module, args: seen["network"].add(args[0].dtype))
    yield seen
    handle.remove()


@pytest.mark.parametrize("method", ["spin", "blended_latent_diffusion"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_stays_inside_the_networks(
    method: str, dtype: torch.dtype, case: Case, artefacts: Artefacts, monkeypatch: pytest.MonkeyPatch
):
    stack = random_stack(dtype)
    with _watched(monkeypatch, stack) as seen:
        methods()[method].painter(SETTINGS[method], stack.keeping(artefacts))(case, [1])
    assert seen["network"] == {dtype}
    assert seen["state"] == seen["guidance"] == {torch.float32}
    assert seen["learned"] == ({torch.float32} if method == "spin" else set())


@pytest.mark.parametrize("method", ["blended_diffusion", "sd_inpaint", "powerpaint", "uni_paint"])
def test_every_other_method_paints_in_half_precision(method: str, case: Case, artefacts: Artefacts):
    (picture,) = methods()[method].painter(SETTINGS[method], random_stack(torch.bfloat16).keeping(artefacts))(case, [1])
    assert picture.size == (CANVAS, CANVAS)


def test_switches_leave_the_picture_as_it_is(case: Case, artefacts: Artefacts):
    plain = random_stack()
    placement = Placement(channels_last=True, vae_slicing=True, checkpointing=True)
    switched = replace(random_stack(), placement=placement)
    settings = replace(SETTINGS["spin"], steps=2)
    pictures = [
        methods()["spin"].painter(settings, stack.keeping(Artefacts(artefacts.folder / str(index))))(case, [1, 2])[1]
        for index, stack in enumerate((plain, switched))
    ]
    levels = [torch.tensor(list(picture.tobytes()), dtype=torch.float32) for picture in pictures]
    assert (levels[0] - levels[1]).abs().mean() < 0.5
    assert switched.unet.conv_in.weight.is_contiguous(memory_format=torch.channels_last)
    assert switched.vae.use_slicing


def test_compiling_keeps_the_function():
    network = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.SiLU())
    x = torch.randn(4, 3)
    expected = network(x)
    Placement(compile="eager").settle_unet(network, torch.device("cpu"), torch.float32)
    torch.testing.assert_close(network(x), expected)
    assert network._compiled_call_impl is not None


class _Counted(torch.nn.Linear):
    """A network that notes where it was sent."""

    def __init__(self) -> None:
        super().__init__(1, 1)
        self.moves: list[str] = []

    def _apply(self, fn, recurse=True):
        self.moves.append(str(fn(torch.zeros(())).device))
        return self


def test_unets_take_turns(monkeypatch: pytest.MonkeyPatch):
    turns, first, second = Turns(torch.device("meta")), _Counted(), _Counted()
    for network in (first, second):
        turns.add(network)
    monkeypatch.setattr(torch.nn.Linear, "forward", lambda self, x: x)
    for network in (first, first, second):
        network(torch.zeros(1))
    assert set(first.moves) == {"meta"}
    assert second.moves == ["meta"]


def test_numerics_are_set_and_recorded():
    before = torch.backends.cuda.matmul.allow_tf32
    try:
        assert set_numerics(tf32=True, cudnn_benchmark=True)["cudnn.tf32"] == "true"
        assert torch.backends.cuda.matmul.allow_tf32
        record = set_numerics(tf32=False, cudnn_benchmark=False)
        assert record == {"cudnn.tf32": "false", "cudnn.benchmark": "false", "cudnn.deterministic": "false"}
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def test_guidance_returns_the_latents_precision():
    class Unet(torch.nn.Module):
        dtype = torch.bfloat16

        def forward(self, x, t, encoder_hidden_states):
            assert x.dtype == torch.bfloat16
            return type("Out", (), {"sample": x})()

    text = torch.zeros(1, 2, 3, dtype=torch.bfloat16)
    predict = guidance.classifier_free(Unet(), text, text, 7.5)
    assert predict(torch.ones(1, 4, 2, 2), 1).noise.dtype == torch.float32
