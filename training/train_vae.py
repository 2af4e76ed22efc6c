"""The embedded VAE: 64 px pictures to 16x16x4 latents, L1 and perceptual loss, a little KL, and equivariance.

Equivariance (after EQ-VAE, Kouzelis et al. 2025): some batches decode transformed latents and are compared with equally
transformed pictures, which makes the latent space smoother and the diffusion model on top of it faster to learn.
"""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch import Tensor

from training.corpus import Corpus
from training.loop import StepLoss, autocast

KL_WEIGHT = 1e-4  # per latent element, beside an L1 a pixel element
PERCEPTUAL_WEIGHT = 0.1

Distance = Callable[[Tensor, Tensor], Tensor]


def build_vae() -> AutoencoderKL:
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(24, 48, 96),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=64,
    )


def as_images(pictures: Tensor) -> Tensor:
    """(N, H, W, 3) uint8 to (N, 3, H, W) float in [-1, 1]."""
    return pictures.permute(0, 3, 1, 2).float() / 127.5 - 1


def draw(pictures: Tensor, batch: int, generator: torch.Generator) -> Tensor:
    """A batch of pictures, each mirrored half of the time; (batch, 3, H, W) float in [-1, 1].

    `generator` is of the device that holds the pictures.
    """
    chosen = torch.randint(len(pictures), (batch,), generator=generator, device=pictures.device)
    images = as_images(pictures[chosen])
    mirrored = torch.rand(batch, generator=generator, device=pictures.device) < 0.5
    return torch.where(mirrored[:, None, None, None], images.flip(-1), images)


def _transform(x: Tensor, kind: int) -> Tensor:
    """Half of the kinds halve the size; the others turn by quarters. The same for pictures and latents."""
    return F.avg_pool2d(x, 2) if kind >= 3 else torch.rot90(x, kind + 1, (-2, -1))


def vae_loss(vae: AutoencoderKL, perceptual: Distance, corpus: Corpus, *, batch: int, device: torch.device) -> StepLoss:
    """`perceptual(a, b)` takes two (N, 3, H, W) batches in [-1, 1] and returns their mean feature distance."""
    pictures = torch.from_numpy(corpus.pictures)

    def loss(step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        images = draw(pictures, batch, generator).to(device, memory_format=torch.channels_last)
        kind = int(torch.randint(24, (1,), generator=generator))
        with autocast(device):
            posterior = vae.encode(images).latent_dist
            noise = torch.randn(posterior.mean.shape, generator=generator).to(device)
            latents = posterior.mean + posterior.std * noise
            if kind < 6:
                latents, images = _transform(latents, kind), _transform(images, kind)
            decoded = vae.decode(latents).sample
            feature = perceptual(decoded, images)
        decoded = decoded.float()
        pixel = F.l1_loss(decoded, images)
        kl = 0.5 * (posterior.mean.float() ** 2 + posterior.var.float() - 1 - posterior.logvar.float()).mean()
        mse = F.mse_loss(decoded.detach(), images) / 4
        parts = {"psnr": float(-10 * torch.log10(mse)), "kl": float(kl.detach()), "feature": float(feature.detach())}
        return pixel + PERCEPTUAL_WEIGHT * feature + KL_WEIGHT * kl, parts

    return loss


@torch.no_grad()
def latent_scale(vae: AutoencoderKL, pictures: NDArray[np.uint8], device: torch.device) -> float:
    """1 / standard deviation of the latents of `pictures` (N, H, W, 3) uint8: diffusers' `scaling_factor`."""
    chunks = torch.from_numpy(pictures).split(100)
    latents = torch.cat([vae.encode(as_images(chunk).to(device)).latent_dist.mean for chunk in chunks])
    return 1 / float(latents.std())


@torch.no_grad()
def encode_corpus(vae: AutoencoderKL, pictures: Tensor, device: torch.device) -> Tensor:
    """Latent means of every picture and then of its mirror image; (2N, 4, 16, 16) float16, scaled to unit variance."""
    chunks = []
    for mirrored in (False, True):
        for chunk in pictures.split(250):
            images = as_images(chunk.flip(2) if mirrored else chunk).to(device, memory_format=torch.channels_last)
            with autocast(device):
                chunks.append(vae.encode(images).latent_dist.mean.half().cpu())
    latents = torch.cat(chunks)
    return (latents * vae.config.scaling_factor).contiguous()
