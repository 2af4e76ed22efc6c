"""The UNet that Spin runs on (a name of UNETS), and what it reads behind the latents."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from spin_bench.diffusion.latents import encode
from spin_bench.models.stack import Stack

PARTS: dict[str, tuple[str, ...]] = {"text_to_image": (), "inpaint": ("inpaint_unet",)}  # of the stack, beside the rest


def _hole(image: Tensor, cover: Tensor, cells: Tensor, stack: Stack) -> Tensor:
    """The mask, and the picture with a grey hole where `cover` is 1: what diffusers' inpainting models read."""
    known = encode(stack.vae, image.to(stack.device) * (1 - cover.to(stack.device)))
    return torch.cat([cells.to(known), known], dim=1)


# (image (1, 3, H, W) in [-1, 1], cover (1, 1, H, W), cells (1, 1, h, w), stack) to (1, C', h, w), or None for no more
BEHIND: dict[str, Callable[[Tensor, Tensor, Tensor, Stack], Tensor | None]] = {
    "text_to_image": lambda image, cover, cells, stack: None,
    "inpaint": _hole,
}


def seeing(unet: Callable[..., Any], known: Tensor | None) -> Callable[..., Any]:
    """Make `unet` one that reads latents alone: `known` (rows, C', h, w) follows those of every `rows` of its batch."""
    if known is None:
        return unet

    def call(latents: Tensor, t: Any, *, encoder_hidden_states: Tensor) -> Any:
        behind = known.repeat(len(latents) // len(known), 1, 1, 1)
        return unet(torch.cat([latents, behind], dim=1), t, encoder_hidden_states=encoder_hidden_states)

    return call
