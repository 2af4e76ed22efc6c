"""Putting the known pixels back after decoding: the options of Blended Latent Diffusion's second script.

A VAE round trip changes the background. It can be pasted over, cloned in Poisson's way, or the decoder (or the latents)
can be tuned, image by image, until it draws the background as it was.
"""

from collections.abc import Callable

import cv2
import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch import Tensor

from spin_bench.diffusion.blending import blend
from spin_bench.diffusion.finetuning import finetuning
from spin_bench.diffusion.latents import encode

ITERATIONS = 75
BACKGROUND_WEIGHT = 100.0
DECODER_LR, LATENTS_LR = 1e-4, 0.1

# (images (N, 3, H, W), background (1, 3, H, W), both in [-1, 1], mask (1, 1, H, W) in {0, 1}, VAE) to images
Reconstruction = Callable[[Tensor, Tensor, Tensor, AutoencoderKL], Tensor]


def poisson(images: Tensor, background: Tensor, mask: Tensor, vae: AutoencoderKL) -> Tensor:
    """Clone the masked region into the background by OpenCV (Perez et al. 2003); paste it if it is too thin."""
    cover = (mask[0, 0] * 255).byte().cpu().numpy()
    rows, columns = (np.flatnonzero(cover.any(axis)) for axis in (1, 0))
    if min(np.ptp(rows), np.ptp(columns)) < 2:  # no pixel inside the mask's edge
        return blend(images, background, mask)
    centre = (int(columns[0] + columns[-1] + 1) // 2 + 1, int(rows[0] + rows[-1] + 1) // 2 + 1)
    # OpenCV demands a margin around the mask
    target, cover = (cv2.copyMakeBorder(x, 1, 1, 1, 1, cv2.BORDER_REPLICATE) for x in (_pixels(background[0]), cover))
    cover[[0, -1]] = cover[:, [0, -1]] = 0
    cloned = []
    for image in images:
        source = cv2.copyMakeBorder(_pixels(image), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
        cloned.append(cv2.seamlessClone(source, target, cover, centre, cv2.NORMAL_CLONE)[1:-1, 1:-1])
    return (torch.from_numpy(np.stack(cloned)).permute(0, 3, 1, 2) / 127.5 - 1).to(images)


def tuned_decoder(images: Tensor, background: Tensor, mask: Tensor, vae: AutoencoderKL) -> Tensor:
    """Decode each image by a decoder tuned on it; the decoder is as before afterwards."""
    drawn = []
    for image in images.split(1):
        latents = encode(vae, image) / vae.config.scaling_factor
        with finetuning(vae.decoder) as decoder, torch.enable_grad():
            optimizer = torch.optim.Adam(decoder.parameters(), lr=DECODER_LR)
            for _ in range(ITERATIONS):
                _descend(optimizer, vae.decode(latents).sample, image, background, mask)
            drawn.append(vae.decode(latents).sample.detach())
    return torch.cat(drawn)


def tuned_latents(images: Tensor, background: Tensor, mask: Tensor, vae: AutoencoderKL) -> Tensor:
    """Decode latents that are tuned, image by image, under the fixed decoder."""
    drawn = []
    for image in images.split(1):
        latents = (encode(vae, image) / vae.config.scaling_factor).clone()
        with torch.enable_grad():
            latents.requires_grad_()
            optimizer = torch.optim.Adam([latents], lr=LATENTS_LR)
            for _ in range(ITERATIONS):
                _descend(optimizer, vae.decode(latents).sample, image, background, mask)
            drawn.append(vae.decode(latents).sample.detach())
    return torch.cat(drawn)


RECONSTRUCTIONS: dict[str, Reconstruction] = {
    "none": lambda images, background, mask, vae: images,
    "paste": lambda images, background, mask, vae: blend(images, background, mask),
    "poisson": poisson,
    "decoder": tuned_decoder,
    "latents": tuned_latents,
}


def _descend(optimizer: torch.optim.Optimizer, drawn: Tensor, image: Tensor, background: Tensor, mask: Tensor) -> None:
    """One step towards the painted pixels inside the mask and, a hundred times as hard, the known ones outside."""
    inside = (drawn * mask - image * mask).pow(2).mean()
    outside = ((drawn - background) * (1 - mask)).pow(2).mean()
    optimizer.zero_grad()
    (inside + BACKGROUND_WEIGHT * outside).backward()
    optimizer.step()


def _pixels(image: Tensor) -> NDArray[np.uint8]:
    """(3, H, W) in [-1, 1] to (H, W, 3) uint8."""
    return ((image.float().clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).cpu().numpy()
