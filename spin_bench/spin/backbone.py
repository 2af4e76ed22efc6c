"""The UNet that Spin runs on: text-to-image, or inpainting, which also sees a mask and what is known."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor

from spin_bench.diffusion.inpainting import inpainting_channels
from spin_bench.diffusion.latents import encode
from spin_bench.models.stack import Stack


@dataclass(frozen=True, eq=False)
class Backbone:
    """A UNet and how many channels it must read; `known` makes those behind the latents."""

    unet: UNet2DConditionModel
    channels: int
    # (image (1, 3, H, W), cover (1, 1, H, W), cells (1, 1, h, w), stack) to (1, C', h, w), or None where there are none
    known: Callable[[Tensor, Tensor, Tensor, Stack], Tensor | None]


def _hole(image: Tensor, cover: Tensor, cells: Tensor, stack: Stack) -> Tensor:
    """The mask, and the picture with a grey hole where `cover` is 1: what diffusers' inpainting models read."""
    known = encode(stack.vae, image.to(stack.device) * (1 - cover.to(stack.device)))
    return torch.cat([cells.to(known), known], dim=1)


BACKBONES: dict[str, Callable[[Stack], Backbone]] = {
    "text_to_image": lambda stack: Backbone(stack.unet, stack.latent_channels, lambda *nothing: None),
    "inpaint": lambda stack: Backbone(stack.inpaint_unet, inpainting_channels(stack), _hole),
}

PARTS: dict[str, tuple[str, ...]] = {"text_to_image": (), "inpaint": ("inpaint_unet",)}  # of the stack, beside the rest


def seeing(unet: Callable[..., Any], known: Tensor | None) -> Callable[..., Any]:
    """`unet` as one that reads latents alone: `known` (rows, C', h, w) is put behind every `rows` of its batch."""
    if known is None:
        return unet

    def call(latents: Tensor, t: Any, *, encoder_hidden_states: Tensor) -> Any:
        behind = known.repeat(len(latents) // len(known), 1, 1, 1)
        return unet(torch.cat([latents, behind], dim=1), t, encoder_hidden_states=encoder_hidden_states)

    return call
