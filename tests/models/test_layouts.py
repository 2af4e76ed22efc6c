"""The published architectures: sizes, and the shape of every level, against figures written down by hand."""

from functools import partial

import pytest
import torch

from spin_bench.cli.main import main
from spin_bench.config.compose import compose
from spin_bench.config.settings import stack_config
from spin_bench.core.errors import UserError
from spin_bench.models.loading import guided_diffusion
from spin_bench.models.loading.layouts import LAYOUTS, PARAMETERS, bare, build_scheduler, build_vae
from spin_bench.models.loading.load import load_stack
from spin_bench.models.loading.parts import clip_tokenizer
from spin_bench.models.loading.random_weights import filled

BUILDERS = {
    "sd1.unet": partial(LAYOUTS["sd1"].unet, 4),
    "sd1.inpaint_unet": partial(LAYOUTS["sd1"].unet, 9),
    "sd1.text_encoder": LAYOUTS["sd1"].text_encoder,
    "sd2.unet": partial(LAYOUTS["sd2"].unet, 4),
    "sd2.inpaint_unet": partial(LAYOUTS["sd2"].unet, 9),
    "sd2.text_encoder": LAYOUTS["sd2"].text_encoder,
    "vae": build_vae,
    "pixel": partial(guided_diffusion.build_unet, guided_diffusion.GuidedDiffusion()),
}
# Million, as the papers, model cards and issue trackers give them.
PUBLISHED = {"sd1.unet": 859.5, "sd1.inpaint_unet": 859.5, "sd1.text_encoder": 123.1, "vae": 83.7, "pixel": 552.8}


def _bare(name: str) -> torch.nn.Module:
    with bare():
        network = BUILDERS[name]()
    return torch.nn.Module.to(network, "meta")


@pytest.mark.parametrize("name", BUILDERS)
def test_sizes_are_the_published_ones(name: str):
    count = sum(parameter.numel() for parameter in _bare(name).parameters())
    assert count == PARAMETERS[name]
    if name in PUBLISHED:
        assert round(count / 1e6, 1) == PUBLISHED[name]


def _shapes(network: torch.nn.Module, blocks: list[str], *inputs, **named) -> list[tuple[int, ...]]:
    """What leaves each block on a pass on the meta device, and the result."""
    found = []
    for name in blocks:
        network.get_submodule(name).register_forward_hook(
            lambda _module, _inputs, out: found.append(tuple((out if isinstance(out, torch.Tensor) else out[0]).shape))
        )
    with torch.no_grad():
        result = network(*inputs, **named)
    return [*found, tuple(result[0].shape if not hasattr(result, "sample") else result.sample.shape)]


def _empty(*shape: int) -> torch.Tensor:
    return torch.empty(shape, device="meta")


DOWN = [f"down_blocks.{level}" for level in range(4)]
UP = [f"up_blocks.{level}" for level in range(4)]


@pytest.mark.parametrize(
    ("name", "channels", "width"), [("sd1.unet", 4, 768), ("sd1.inpaint_unet", 9, 768), ("sd2.unet", 4, 1024)]
)
def test_every_level_of_the_unet(name: str, channels: int, width: int):
    shapes = _shapes(
        _bare(name), ["conv_in", *DOWN, "mid_block", *UP], _empty(2, channels, 64, 64), 10,
        encoder_hidden_states=_empty(2, 77, width),
    )  # fmt: skip
    levels = [(320, 64), (320, 32), (640, 16), (1280, 8), (1280, 8), (1280, 8), (1280, 16), (1280, 32), (640, 64)]
    assert shapes == [(2, c, side, side) for c, side in [*levels, (320, 64), (4, 64)]]


def test_every_level_of_the_vae():
    vae = _bare("vae")
    encoded = _shapes(vae.encoder, DOWN, _empty(1, 3, 512, 512))
    assert encoded[:4] == [(1, 128, 256, 256), (1, 256, 128, 128), (1, 512, 64, 64), (1, 512, 64, 64)]
    assert vae.encoder(_empty(1, 3, 512, 512)).shape == (1, 8, 64, 64)  # mean and deviation of four channels
    decoded = _shapes(vae.decoder, UP, _empty(1, 4, 64, 64))
    assert decoded[:4] == [(1, 512, 128, 128), (1, 512, 256, 256), (1, 256, 512, 512), (1, 128, 512, 512)]
    assert vae.decoder(_empty(1, 4, 64, 64)).shape == (1, 3, 512, 512)


def test_every_level_of_the_pixel_network():
    blocks = [f"down_blocks.{level}" for level in range(6)] + [f"up_blocks.{level}" for level in range(6)]
    shapes = _shapes(_bare("pixel"), blocks, _empty(1, 3, 256, 256), 10)
    down = [(256, 128), (256, 64), (512, 32), (512, 16), (1024, 8), (1024, 8)]
    up = [(1024, 16), (1024, 32), (512, 64), (512, 128), (256, 256), (256, 256)]
    assert shapes == [(1, c, side, side) for c, side in [*down, *up, (6, 256)]]


@pytest.mark.parametrize(("name", "width"), [("sd1.text_encoder", 768), ("sd2.text_encoder", 1024)])
def test_the_text_encoder_writes_what_the_unet_reads(name: str, width: int):
    states = _bare(name)(torch.zeros(2, 77, dtype=torch.long, device="meta")).last_hidden_state
    assert states.shape == (2, 77, width)


def test_the_tokenizer_is_clip_s():
    """Ids that the published tokenizer gives this sentence."""
    tokenizer = clip_tokenizer("<|endoftext|>")
    assert len(tokenizer) == 49408
    assert tokenizer("a photo of a cat").input_ids == [49406, 320, 1125, 539, 320, 2368, 49407]
    assert clip_tokenizer("!").pad_token_id == 0


def test_the_schedule_predicts_epsilon():
    assert build_scheduler().config.prediction_type == "epsilon"
    assert round(float(build_scheduler().alphas_cumprod[-1]), 5) == 0.00466


def test_random_weights_are_the_same_every_time_and_finite_through_any_depth():
    def drawn() -> torch.nn.Module:
        with bare():
            network = torch.nn.Sequential(*[torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.SiLU())] * 3)
            deep = torch.nn.Sequential(*(torch.nn.Linear(64, 64) for _ in range(50)), network)
        return filled(deep, dtype=torch.bfloat16)

    first, second = drawn(), drawn()
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert not torch.equal(first[0].weight, first[1].weight)
    assert {parameter.dtype for parameter in first.parameters()} == {torch.bfloat16}
    assert 1e-3 < float(first(torch.randn(4, 64, dtype=torch.bfloat16)).float().std()) < 10


def test_random_weights_never_get_into_a_table(tmp_path, capsys):
    assert main(["weights=random", "limit=1", f"results_dir={tmp_path / 'results'}"]) == 2
    assert "no table is made of them: add dry_run=true" in capsys.readouterr().err
    assert main(["metrics", "weights=random"]) == 2
    assert not (tmp_path / "results").exists()
    with pytest.raises(UserError, match="unknown weights 'randon': did you mean 'random'"):
        load_stack(stack_config(compose(["weights=randon"])))


@pytest.mark.parametrize("name", ["sd14", "sd15", "sd21"])
def test_every_published_stack_loads_without_touching_a_network(name: str):
    """Loading is lazy: names, pins and layout are checked, no file is asked for."""
    stack = load_stack(stack_config(compose([f"stack={name}", "weights=random"])), dry_run=True)
    assert stack.canvas == 512
    assert stack.random
    assert stack.missing() == []
    assert stack.tokenizer.pad_token == LAYOUTS[stack_config(compose([f"stack={name}"])).layout].pad_token
