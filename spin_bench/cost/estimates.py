"""What a table will need, from counted passes and the published layouts: operations, time, memory. No weights needed.

Operations are counted on the meta device, and so is memory: a network's weights, and what lives at the worst moment of
its pass. Left out is what the driver and the allocator take, about a gigabyte.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from spin_bench.cost.live_memory import FusedAttention, LiveBytes
from spin_bench.cost.passes import Passes
from spin_bench.methods.baselines.blended_diffusion import BlendedDiffusionSettings
from spin_bench.models.config import StackConfig
from spin_bench.models.loading import guided_diffusion
from spin_bench.models.loading.layouts import LAYOUTS, WINDOW, bare, build_vae
from spin_bench.models.published_encoders import build_clip

CONTEXT = {"sd1": 768, "sd2": 1024}  # width of the text that a UNet reads
ALWAYS_FLOAT32 = ("clip.image", "clip.text", "guide.image", "guide.text")


@dataclass(frozen=True, eq=False)
class Bare:
    """A network without memory, and what one pass of so many rows is."""

    network: Any  # a module of the meta device
    run: Callable[[Any, int, torch.dtype, bool], Tensor]  # rows, precision, whether the input wants a gradient
    dtype: torch.dtype

    @property
    def parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.network.parameters())

    @property
    def weight_bytes(self) -> int:
        return self.parameters * self.dtype.itemsize

    def operations(self) -> int:
        """Floating-point operations of one row, forward; a multiplication and an addition are two."""
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            self.run(self.network, 1, self.dtype, False)
        return counter.get_total_flops()

    def peak(self, rows: int, *, backward: bool = False) -> int:
        """Bytes that live at the worst moment of a pass of `rows`, weights apart."""
        with FusedAttention(), LiveBytes() as live, torch.set_grad_enabled(backward):
            result = self.run(self.network, rows, self.dtype, backward)
            if backward:
                result.sum().backward()
        return live.peak


def bare_networks(config: StackConfig, dtype: torch.dtype) -> dict[str, Bare]:
    """By the names of `spin_bench.cost.passes`, at the layout and canvas of `config`."""
    layout, side = LAYOUTS[config.layout], config.canvas // 8
    context = CONTEXT[config.layout]

    def made(build: Callable[[], Any], run: Any, precision: torch.dtype = dtype) -> Bare:
        with bare():
            network = build()
        return Bare(nn.Module.to(network.requires_grad_(False), "meta", precision), run, precision)

    vae = made(build_vae, None)
    found = {
        "unet": made(partial(layout.unet, 4), partial(_unet, 4, side, context)),
        "inpaint_unet": made(partial(layout.unet, 9), partial(_unet, 9, side, context)),
        "pixel": made(partial(guided_diffusion.build_unet, guided_diffusion.GuidedDiffusion()), _pixel),
        "vae.encoder": Bare(vae.network.encoder, partial(_picture, 3, config.canvas), dtype),
        "vae.decoder": Bare(vae.network.decoder, partial(_picture, 4, side), dtype),
        "text_encoder": made(layout.text_encoder, _text),
    }
    found |= {"powerpaint.unet": found["inpaint_unet"], "powerpaint.text_encoder": found["text_encoder"]}
    for role, name in (("clip", config.clip), ("guide", config.guide or config.clip)):
        if name:
            clip = made(partial(build_clip, name), None, torch.float32)
            found[f"{role}.image"] = Bare(clip.network, _clip_image, torch.float32)
            found[f"{role}.text"] = Bare(clip.network, _clip_text, torch.float32)
    return found


def operations(passes: Passes, per_row: dict[str, int]) -> int:
    """Of a whole case; a backward pass through weights counts as one forward, their gradients as another."""
    rows = passes.forward + passes.backward + passes.weights
    return sum(count * per_row[name] for name, count in rows.items() if name in per_row)


def memory(name: str, settings: Any, passes: Passes, images: int, networks: dict[str, Bare]) -> int:
    """Bytes of a method at its worst moment: its networks, and the largest of its passes."""
    used = {network for network in passes.forward if network in networks and passes.forward[network]}
    modules = {id(networks[network].network): networks[network] for network in used}
    weights = sum(found.weight_bytes for found in modules.values())
    return weights + max(stage(networks, settings, images) for stage in STAGES[name])


def _guided(network: str, networks: dict[str, Bare], settings: Any, images: int) -> int:
    return networks[network].peak(2 * images)


def _through(network: str, rows: int, networks: dict[str, Bare], settings: Any, images: int) -> int:
    return networks[network].peak(rows, backward=True)


def _decoded(networks: dict[str, Bare], settings: Any, images: int) -> int:
    return networks["vae.decoder"].peak(images)


def _tuned(networks: dict[str, Bare], settings: Any, images: int) -> int:
    """Uni: float32 copies of the weights, their gradients and Adam's two moments, beside the pass itself."""
    unet = networks["unet"]
    return 4 * 4 * unet.parameters + unet.peak(2, backward=True) * 4 // unet.dtype.itemsize


def _masked(networks: dict[str, Bare], settings: Any, images: int) -> int:
    """Uni writes its attention's weights out: three times the square of the latents' cells, head by head."""
    unet = networks["unet"]
    side, heads = unet.network.config.sample_size, 8
    return unet.peak(2 * images) + 3 * 2 * images * heads * side**4 * unet.dtype.itemsize


def _pixel_guided(networks: dict[str, Bare], settings: BlendedDiffusionSettings, images: int) -> int:
    """Blended: a batch through the pixel network, whose graph waits while all its views go through CLIP and back."""
    views = settings.batch * settings.aug_num
    return networks["pixel"].peak(settings.batch, backward=True) + networks["guide.image"].peak(views, backward=True)


# (networks, the method's settings, images at once) to bytes
Stage = Callable[[dict[str, Bare], Any, int], int]
STAGES: dict[str, tuple[Stage, ...]] = {
    "spin": (partial(_through, "unet", 1), partial(_guided, "unet"), _decoded),
    "blended_diffusion": (_pixel_guided,),
    "blended_latent_diffusion": (partial(_guided, "unet"), _decoded),
    "sd_inpaint": (partial(_guided, "inpaint_unet"), _decoded),
    "powerpaint": (partial(_guided, "powerpaint.unet"), _decoded),
    "uni_paint": (_tuned, _masked, _decoded),
}


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


def _input(shape: tuple[int, ...], dtype: torch.dtype, wants: bool) -> Tensor:
    return torch.empty(shape, device="meta", dtype=dtype, requires_grad=wants)


def _unet(channels: int, side: int, context: int, network: Any, rows: int, dtype: torch.dtype, wants: bool) -> Tensor:
    latents = _input((rows, channels, side, side), dtype, False)
    text = _input((rows, WINDOW, context), dtype, wants)
    return network(latents, torch.zeros(rows, device="meta"), encoder_hidden_states=text).sample


def _pixel(network: Any, rows: int, dtype: torch.dtype, wants: bool) -> Tensor:
    side = network.config.sample_size
    return network(_input((rows, 3, side, side), dtype, wants), torch.zeros(rows, device="meta")).sample


def _picture(channels: int, side: int, network: Any, rows: int, dtype: torch.dtype, wants: bool) -> Tensor:
    return network(_input((rows, channels, side, side), dtype, wants))


def _text(network: Any, rows: int, dtype: torch.dtype, wants: bool) -> Tensor:
    return network(torch.zeros(rows, WINDOW, dtype=torch.long, device="meta")).last_hidden_state


def _clip_image(network: Any, rows: int, dtype: torch.dtype, wants: bool) -> Tensor:
    return network.encode_image(_input((rows, 3, 224, 224), dtype, wants))


def _clip_text(network: Any, rows: int, dtype: torch.dtype, wants: bool) -> Tensor:
    return network.encode_text(torch.zeros(rows, WINDOW, dtype=torch.long, device="meta"))
