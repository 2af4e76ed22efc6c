"""How close the unconditional pixel-space model comes to the world it was trained on."""

import torch
import torch.nn.functional as F
from rich.console import Console
from torch import Tensor
from torchmetrics.image.kid import poly_mmd

from spin_bench.diffusion.latents import decode, encode
from spin_bench.diffusion.noise import NoiseSource
from spin_bench.diffusion.pixel_sampler import ancestral
from spin_bench.progress import watched
from spin_bench.stack import Stack

SAMPLES, STEPS, BATCH = 256, 100, 32
SUBSETS, SUBSET_SIZE = 50, 128
KID_MARGIN = 0.10  # stated: how far above the VAE's reconstructions the samples may be


def kid(features: Tensor, others: Tensor) -> float:
    """Kernel distance (Binkowski et al. 2018) of two sets of features (n, width), cubic kernel, mean over subsets."""
    generator = torch.Generator().manual_seed(0)

    def subset(rows: Tensor) -> Tensor:
        return rows[torch.randperm(len(rows), generator=generator)[:SUBSET_SIZE]]

    # unit-length features: scaled so that the kernel's constant does not drown them
    scale = features.shape[1] ** 0.5
    distances = [poly_mmd(subset(features) * scale, subset(others) * scale) for _ in range(SUBSETS)]
    return float(torch.stack(distances).mean())


def samples(stack: Stack, console: Console) -> Tensor:
    """(SAMPLES, 3, side, side) in [-1, 1], image i from seed i."""
    side = stack.pixel.unet.config.sample_size
    made = []
    starts = range(0, SAMPLES, BATCH)
    for start in watched(starts, total=len(starts), label="pixel-space samples", console=console):
        source = NoiseSource(range(start, start + BATCH), stack.device, stack.dtype)
        images = source.normal(3, side, side)
        for step in ancestral(stack.pixel, images, source, steps=STEPS):
            images = step.x
        made.append(images.clamp(-1, 1))
    return torch.cat(made)


def pixel_figures(stack: Stack, images: Tensor, console: Console) -> tuple[dict[str, float], Tensor]:
    """KID in mini-CLIP's eyes at the model's own size: of samples and of VAE reconstructions, both against `images`.

    `images` (N, 3, H, W) in [-1, 1] are held-out pictures; one half is reconstructed, the other compared with.
    """
    side = stack.pixel.unet.config.sample_size

    def seen(pictures: Tensor) -> Tensor:
        small = F.adaptive_avg_pool2d(pictures, side)
        large = F.interpolate(small, images.shape[-2:], mode="bicubic", align_corners=False).clamp(-1, 1)
        return stack.clip.encode_image(large)

    made = samples(stack, console)
    half = len(images) // 2
    rebuilt = torch.cat([decode(stack.vae, encode(stack.vae, chunk)) for chunk in images[:half].split(50)])
    truth = seen(images[half:])
    figures = {"pixel_kid": kid(seen(made), truth), "vae_kid": kid(seen(rebuilt.clamp(-1, 1)), truth)}
    return figures, made[:64]
