"""Floating-point operations of one pass through each network, counted on the published layouts without weights."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from spin_bench.models.config import StackConfig
from spin_bench.models.loading import guided_diffusion
from spin_bench.models.loading.layouts import LAYOUTS, WINDOW, bare, build_vae
from spin_bench.models.published_encoders import build_clip

CONTEXT = {"sd1": 768, "sd2": 1024}  # width of the text that a UNet reads


def operations_per_row(config: StackConfig) -> dict[str, int]:
    """Operations of one row forward at the layout and canvas of `config`, by the names of `spin_bench.cost.passes`.

    A multiplication and an addition are two.
    """
    layout, side = LAYOUTS[config.layout], config.canvas // 8
    latents, text = partial(_empty, 4, side), partial(torch.zeros, 1, WINDOW, dtype=torch.long)
    counts = {
        "unet": _unet(partial(layout.unet, 4), _empty(4, side), CONTEXT[config.layout]),
        "inpaint_unet": _unet(partial(layout.unet, 9), _empty(9, side), CONTEXT[config.layout]),
        "pixel.unet": _pixel(),
        "vae.encoder": _operations(build_vae, lambda vae: vae.encoder(_empty(3, config.canvas))),
        "vae.decoder": _operations(build_vae, lambda vae: vae.decoder(latents())),
        "text_encoder": _operations(layout.text_encoder, lambda encoder: encoder(text(device="meta"))),
    }
    counts |= {"powerpaint.unet": counts["inpaint_unet"], "powerpaint.text_encoder": counts["text_encoder"]}
    for role, name in (("clip", config.clip), ("guide", config.guide or config.clip)):
        if name:
            build = partial(build_clip, name)
            counts[f"{role}.image"] = _operations(build, lambda clip: clip.encode_image(_empty(3, 224)))
            counts[f"{role}.text"] = _operations(build, lambda clip: clip.encode_text(text(device="meta")))
    return counts


def measured_rate(device: torch.device, dtype: torch.dtype, seconds: float = 0.3) -> float:
    """Operations a second of one of the UNet's own convolutions (640 channels, 32 px) on this device, now."""
    x = torch.randn(4, 640, 32, 32, device=device, dtype=dtype)
    kernel = torch.randn(640, 640, 3, 3, device=device, dtype=dtype)
    work = 2 * 4 * 640 * 640 * 9 * 32 * 32
    _synchronised(F.conv2d(x, kernel, padding=1))
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        _synchronised(F.conv2d(x, kernel, padding=1))
        count += 1
    return count * work / (time.perf_counter() - started)


def _synchronised(result: Tensor) -> float:
    return result.flatten()[0].item()


def _operations(build: Callable[[], Any], run: Callable[[Any], Any]) -> int:
    with bare():
        network = build()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        run(network.to("meta"))
    return counter.get_total_flops()


def _unet(build: Callable[[], Any], latents: Tensor, width: int) -> int:
    context = torch.empty(1, WINDOW, width, device="meta")
    return _operations(build, lambda unet: unet(latents, _timestep(), encoder_hidden_states=context))


def _pixel() -> int:
    settings = guided_diffusion.GuidedDiffusion()
    build = partial(guided_diffusion.build_unet, settings)
    return _operations(build, lambda unet: unet(_empty(3, unet.config.sample_size), _timestep()))


def _timestep() -> Tensor:
    return torch.zeros(1, device="meta")


def _empty(channels: int, side: int) -> Tensor:
    return torch.empty(1, channels, side, side, device="meta")
