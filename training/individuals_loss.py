"""The denoising loss that teaches looks: the object's latent cells and the noisy steps weigh more.

A colour or pattern is decided where little of the picture is left, but there a network that predicts noise errs so
little that min-SNR weighting alone hardly hears it. The weight below is min-SNR's times that of predicting v instead.
"""

import torch
import torch.nn.functional as F
from diffusers import DDIMScheduler
from torch import Tensor

from training.loop import StepLoss, autocast
from training.train_unet import EMPTY_CAPTIONS, TextToImage, min_snr_weights

OBJECT_WEIGHT = 2.0  # of a latent cell under the object; a cell beside it weighs 1
NOISY_WEIGHT = 10.0  # the most that a step weighs


def step_weights(scheduler: DDIMScheduler, device: torch.device) -> Tensor:
    """Loss weight of every timestep, (T,)."""
    alphas = scheduler.alphas_cumprod.to(device)
    return min_snr_weights(scheduler, device) * (1 / alphas).clamp(max=NOISY_WEIGHT)


def object_cells(masks: Tensor, side: int) -> Tensor:
    """Share of each latent cell that the subject covers: (N, H, W) bool to (N, 1, side, side)."""
    return F.adaptive_avg_pool2d(masks[:, None].float(), side)


def individuals_loss(
    model: TextToImage,
    scheduler: DDIMScheduler,
    latents: Tensor,
    masks: Tensor,
    token_ids: Tensor,
    empty_ids: Tensor,
    *,
    batch: int,
    device: torch.device,
) -> StepLoss:
    """`latents` (2N, C, h, w) are N pictures, then their mirror images; `masks` (N, H, W).

    `token_ids` (N, variants, window) are captions, of which each step draws one a picture.
    """
    weights, count = step_weights(scheduler, device), len(token_ids)
    cells = object_cells(masks, latents.shape[-1])

    def loss(step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        chosen = torch.randint(len(latents), (batch,), generator=generator)
        clean = latents[chosen].float().to(device)
        noise = torch.randn(clean.shape, generator=generator).to(device)
        t = torch.randint(scheduler.config.num_train_timesteps, (batch,), generator=generator).to(device)
        empty = torch.rand(batch, generator=generator) < EMPTY_CAPTIONS
        said = torch.randint(token_ids.shape[1], (batch,), generator=generator)
        ids = torch.where(empty[:, None], empty_ids, token_ids[chosen % count, said]).to(device)
        covered = cells[chosen % count]
        covered = torch.where((chosen >= count)[:, None, None, None], covered.flip(-1), covered).to(device)
        noisy = scheduler.add_noise(clean, noise, t).to(memory_format=torch.channels_last)
        with autocast(device):
            states = model.text_encoder(ids).last_hidden_state
            noise_pred = model.unet(noisy, t, encoder_hidden_states=states).sample
        error = (noise_pred.float() - noise).pow(2).mean(1, keepdim=True)
        weighted = (error * (1 + (OBJECT_WEIGHT - 1) * covered)).mean((1, 2, 3))
        return (weights[t] * weighted).mean(), {"mse": float(error.detach().mean())}

    return loss
