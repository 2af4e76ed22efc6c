"""guided-diffusion's checkpoint becomes diffusers' folder: the same function, whole or not at all."""

import json
import re
from pathlib import Path

import pytest
import torch
from diffusers import DDPMScheduler, UNet2DModel
from published_pixel_unet import PublishedUNet

from spin_bench.cli.main import main
from spin_bench.models.hub import conversion
from spin_bench.models.loading.guided_diffusion import GuidedDiffusion

TINY = GuidedDiffusion(side=16, channels=(8, 8, 16), attention=(False, True, True), layers=1, head=4, groups=4)


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, PublishedUNet]:
    """A file as the authors write theirs, of a small network; the command is told its shape."""
    monkeypatch.setattr("spin_bench.models.loading.guided_diffusion.GuidedDiffusion", lambda: TINY)
    torch.manual_seed(0)
    network = PublishedUNet(TINY.channels, TINY.attention, TINY.layers, TINY.head, TINY.groups).eval()
    for parameter in network.parameters():
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    torch.save({name: tensor.half().float() for name, tensor in network.state_dict().items()}, tmp_path / "tiny.pt")
    network.load_state_dict(torch.load(tmp_path / "tiny.pt", weights_only=True))
    return tmp_path / "tiny.pt", network


@torch.no_grad()
def test_the_converted_network_is_the_published_function(checkpoint, tmp_path: Path):
    source, network = checkpoint
    assert main(["convert", f"source={source}", f"target={tmp_path / 'out'}"]) == 0
    converted = UNet2DModel.from_pretrained(tmp_path / "out" / "unet", use_safetensors=True)
    x, t = torch.randn(2, 3, 16, 16), torch.tensor([3, 871])
    torch.testing.assert_close(converted(x, t).sample, network(x, t), rtol=1e-4, atol=1e-5)
    assert DDPMScheduler.from_pretrained(tmp_path / "out" / "scheduler").config.variance_type == "learned_range"
    record = json.loads((tmp_path / "out" / "source.json").read_text())
    assert record["file"] == "tiny.pt"
    assert re.fullmatch(r"[0-9a-f]{64}", record["sha256"])


def test_order_of_queries_keys_and_values_is_told_apart(checkpoint, tmp_path: Path):
    """Three stacked matrices, as later models have them, would convert without an error into another function."""
    _, network = checkpoint
    joined = network.middle_block[1].qkv.weight[..., 0]
    state = conversion.converted({"middle_block.1.qkv.weight": joined[..., None]}, TINY)
    q = state["mid_block.attentions.0.to_q.weight"]
    assert torch.equal(q[:4], joined[:4])  # the first head's
    assert torch.equal(q[4:8], joined[12:16])  # the second's, behind the first one's keys and values


def _main(*arguments: str) -> int:
    return main(["convert", *arguments])


def _with_code(path: Path) -> None:
    class Trap:
        def __reduce__(self):
            return Path.touch, (path.parent / "ran",)

    torch.save({"weight": Trap()}, path)


def _other_architecture(path: Path) -> None:
    torch.save({"conv.weight": torch.zeros(2, 2)}, path)


def _with_one_more(path: Path) -> None:
    torch.save({**torch.load(path, weights_only=True), "label_emb.weight": torch.zeros(10, 32)}, path)


def _of_another_width(path: Path) -> None:
    state = torch.load(path, weights_only=True)
    torch.save({**state, "out.2.weight": state["out.2.weight"][:3]}, path)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.unlink(), "no such file: download it from https"),
        (lambda path: path.write_bytes(path.read_bytes()[:3000]), "cut off"),
        (_with_code, "refused, it holds more than tensors"),
        (_other_architecture, "another architecture, it has nothing for"),
        (_with_one_more, "another architecture, 1 of its tensors have no place"),
        (_of_another_width, r"another architecture, conv_out.weight is (3, 8, 3, 3), not (6, 8, 3, 3)"),
        (lambda path: torch.save([1, 2], path), "not a plain table of tensors"),
    ],
)
def test_what_is_not_the_checkpoint_is_refused(checkpoint, tmp_path: Path, capsys, spoil, message: str):
    source, _ = checkpoint
    spoil(source)
    assert _main(f"source={source}", f"target={tmp_path / 'out'}") == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert "\n" not in error
    assert not (tmp_path / "ran").exists()
    assert [path.name for path in tmp_path.iterdir() if path != source] == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_an_interrupted_conversion_leaves_nothing(checkpoint, tmp_path: Path, monkeypatch, capsys, error):
    source, _ = checkpoint

    def fails(*_args, **_kwargs):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(DDPMScheduler, "save_pretrained", fails)  # the UNet is written by then
        assert _main(f"source={source}", f"target={tmp_path / 'out'}") in (2, 130)
    assert [path.name for path in tmp_path.iterdir()] == [source.name]
    (tmp_path / ".out.123.tmp").mkdir()  # a kill leaves its folder, which the next conversion clears
    assert _main(f"source={source}", f"target={tmp_path / 'out'}") == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", source.name]
    assert _main(f"source={source}", f"target={tmp_path / 'out'}") == 2
    assert "is there already" in capsys.readouterr().err


def test_convert_needs_a_source(capsys):
    assert _main() == 2
    assert "convert needs source=" in capsys.readouterr().err
