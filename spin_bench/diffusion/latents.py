"""Between pictures, tensors and latents."""

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from PIL import Image
from torch import Tensor

from spin_bench.core.errors import PaintingError


def to_tensor(picture: Image.Image, side: int | None = None) -> Tensor:
    """Convert an RGB picture, resized to a square of `side` px if given, to (1, 3, H, W) float32 in [-1, 1]."""
    if side is not None and picture.size != (side, side):
        picture = picture.resize((side, side), Image.Resampling.LANCZOS)
    pixels = torch.from_numpy(np.array(picture.convert("RGB"), dtype=np.float32))
    return pixels.permute(2, 0, 1)[None] / 127.5 - 1


def to_pictures(images: Tensor) -> list[Image.Image]:
    """Convert (N, 3, H, W) in [-1, 1] to N RGB pictures; raise `PaintingError` for NaN or infinity."""
    if not torch.isfinite(images).all():
        raise PaintingError("NaN or infinity in the decoded picture: try stack.dtype=float32 or a lower guidance_scale")
    levels = ((images.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return [Image.fromarray(level) for level in levels.permute(0, 2, 3, 1).cpu().numpy()]


def mask_to_tensor(mask: Image.Image, side: int | None = None) -> Tensor:
    """Convert a mask picture to (1, 1, H, W) float32, 1 where painted, else 0; `side` resizes by nearest neighbour.

    Raises `PaintingError` if resizing leaves nothing to paint.
    """
    if side is not None and mask.size != (side, side):
        return _not_empty(mask_to_tensor(mask.resize((side, side), Image.Resampling.NEAREST)))
    return torch.from_numpy((np.array(mask.convert("L")) > 127).astype(np.float32))[None, None]


def latent_mask(mask: Image.Image, vae: AutoencoderKL) -> Tensor:
    """Shrink a mask picture to latent resolution by nearest neighbour, as published: (1, 1, h, w) in {0, 1}.

    Raises `PaintingError` if the mask lies between the cells: a method would return the picture unpainted.
    """
    factor = 2 ** (len(vae.config.block_out_channels) - 1)
    return _not_empty(F.interpolate(mask_to_tensor(mask), scale_factor=1 / factor, mode="nearest"))


def _not_empty(mask: Tensor) -> Tensor:
    if not mask.any():
        raise PaintingError(f"the mask has no cell of the {mask.shape[-1]}x{mask.shape[-2]} that are painted: widen it")
    return mask


@torch.no_grad()
def encode(vae: AutoencoderKL, images: Tensor) -> Tensor:
    """Encode (N, 3, H, W) in [-1, 1] to scaled latents (N, C, h, w): the posterior's mean, which needs no seed."""
    images = images.to(vae.device, vae.dtype)
    return vae.encode(images).latent_dist.mean * vae.config.scaling_factor


@torch.no_grad()
def decode(vae: AutoencoderKL, latents: Tensor) -> Tensor:
    """Decode scaled latents (N, C, h, w) to images (N, 3, H, W), about [-1, 1]."""
    return vae.decode((latents / vae.config.scaling_factor).to(vae.dtype)).sample
