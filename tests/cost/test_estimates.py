"""What a table will need: arithmetic on known passes, and the figures that docs/paper-scale.md prints."""

import re
from collections import Counter
from pathlib import Path

import pytest
import torch
from torch import nn

from spin_bench.cost.estimates import Bare, memory, operations
from spin_bench.cost.live_memory import FusedAttention, LiveBytes
from spin_bench.cost.passes import PASSES, Passes
from spin_bench.methods.baselines.blended_diffusion import BlendedDiffusionSettings
from spin_bench.methods.registry import methods

GUIDE = Path(__file__).parents[2] / "docs" / "paper-scale.md"
# GFLOP of one row at 512 px, as `Bare.operations` counts them on the published layouts.
PER_ROW = {
    "unet": 803.3e9,
    "inpaint_unet": 803.4e9,
    "powerpaint.unet": 803.4e9,
    "pixel": 2239.7e9,
    "vae.encoder": 1116.7e9,
    "vae.decoder": 2514.5e9,
    "text_encoder": 13.3e9,
    "powerpaint.text_encoder": 13.3e9,
    "clip.image": 162.0e9,
    "guide.image": 35.1e9,
    "guide.text": 6.0e9,
}


def _linear(network: nn.Module, rows: int, dtype: torch.dtype, wants: bool) -> torch.Tensor:
    return network(torch.empty(rows, 64, device="meta", dtype=dtype, requires_grad=wants))


def _bare(*layers: nn.Module, dtype: torch.dtype = torch.float32) -> Bare:
    return Bare(nn.Sequential(*layers).to("meta", dtype).requires_grad_(False), _linear, dtype)


def test_operations_of_a_matrix_are_two_a_weight():
    assert _bare(nn.Linear(64, 32, bias=False)).operations() == 2 * 64 * 32
    assert _bare(nn.Linear(64, 32, bias=False)).weight_bytes == 4 * 64 * 32


def test_a_case_sums_its_rows_forward_back_and_for_the_weights():
    passes = Passes(Counter(unet=5, text_encoder=2), Counter(unet=3), Counter(unet=1))
    assert operations(passes, {"unet": 10, "text_encoder": 1}) == 10 * (5 + 3 + 1) + 2


def test_live_bytes_follow_what_is_held():
    with LiveBytes() as live:
        a = torch.empty(1000, device="meta")
        b = a + 1
        assert live.now == 8000
        view = b[:10]
        assert live.now == 8000  # a view holds nothing of its own
        del a
        assert live.now == 4000
        del b
        assert live.now == 4000  # its view still holds it
        del view
        assert (live.now, live.peak) == (0, 8000)


def test_a_graph_holds_what_the_way_back_needs():
    deep = [nn.Linear(64, 64, bias=False) for _ in range(8)]
    network = _bare(*(layer for linear in deep for layer in (linear, nn.SiLU())))
    row = 4 * 64
    forward, backward = network.peak(10), network.peak(10, backward=True)
    assert forward <= 4 * 10 * row  # a few at once, however deep
    assert backward >= 8 * 10 * row  # what every SiLU saw
    assert network.peak(20, backward=True) == pytest.approx(2 * backward, rel=0.01)


def test_fused_attention_keeps_no_weights():
    tokens = 512
    query, key, value = (torch.empty(1, 1, tokens, 8, device="meta", requires_grad=True) for _ in range(3))
    with FusedAttention(), LiveBytes() as live:
        result = nn.functional.scaled_dot_product_attention(query, key, value)
        result.sum().backward()
    assert result.shape == query.shape
    assert live.peak < 4 * tokens * tokens / 4
    assert query.grad is not None


def test_memory_is_the_networks_and_the_largest_pass():
    unet, decoder, text = _bare(nn.Linear(64, 64)), _bare(nn.Linear(64, 512)), _bare(nn.Linear(64, 64))
    networks = {"unet": unet, "vae.encoder": text, "vae.decoder": decoder, "text_encoder": text}
    settings = methods()["blended_latent_diffusion"].settings()
    passes = PASSES["blended_latent_diffusion"](settings, 4)
    weights = unet.weight_bytes + decoder.weight_bytes + text.weight_bytes
    needed = memory("blended_latent_diffusion", settings, passes, 4, networks)
    assert needed == weights + max(unet.peak(8), decoder.peak(4))


def test_the_memory_of_blended_is_its_own_batch_s():
    pixel, image, text = _bare(nn.Linear(64, 64)), _bare(nn.Linear(64, 512)), _bare(nn.Linear(64, 64))
    networks = {"pixel": pixel, "guide.image": image, "guide.text": text}
    weights = sum(network.weight_bytes for network in networks.values())
    for batch in (1, 4):
        settings = BlendedDiffusionSettings(batch=batch, aug_num=3)
        passes = PASSES["blended_diffusion"](settings, 8)
        expected = weights + pixel.peak(batch, backward=True) + image.peak(3 * batch, backward=True)
        assert memory("blended_diffusion", settings, passes, 8, networks) == expected


@pytest.mark.parametrize("name", PASSES)
def test_the_guide_s_hours_are_the_formulas_own(name: str):
    images = 32 if name == "blended_diffusion" else 4
    work = 237 * operations(PASSES[name](methods()[name].settings(), images), PER_ROW)
    row = re.search(
        rf"^\| {re.escape(methods()[name].title)} \| (\d+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$",
        GUIDE.read_text(),
        re.M,
    )
    assert row is not None
    assert int(row[1]) == round(work / 1e15)
    for rate, hours in zip((20, 50, 150), row.groups()[1:], strict=True):
        assert float(hours) == pytest.approx(work / rate / 1e12 / 3600, abs=0.051)
