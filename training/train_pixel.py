"""The embedded pixel-space model: an unconditional UNet at half the canvas, for Blended Diffusion.

It predicts velocity (Salimans & Ho 2022) on the linear schedule of a thousand steps, where guided-diffusion predicts
noise: near pure noise, an error of predicted noise is magnified 150 times in the predicted picture, and a network of
this size and training then paints flat, glaring colours. It sees photographs of objects alone, as ImageNet's does.
"""

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler, UNet2DModel
from diffusers.models.attention_processor import Attention, AttnProcessor
from numpy.typing import NDArray
from torch import Tensor
from torch.distributions import Normal

from training.loop import StepLoss, autocast
from training.photographs import SIDE
from training.train_vae import draw

EVEN_SHARE = 0.25
LOG_SIGMA = (-1.0, 1.3)  # mean and deviation of the noise level's logarithm


def build_pixel_scheduler() -> DDPMScheduler:
    """The linear schedule of guided-diffusion (Dhariwal & Nichol 2021), spaced as its respacing does.

    Its learned variance would need a second loss and twice the output. Of the two fixed ones the smaller is the better
    with few respaced steps: the larger leaves noise that the steps to come no longer take away.
    """
    return DDPMScheduler(
        beta_start=1e-4,
        beta_end=0.02,
        beta_schedule="linear",
        prediction_type="v_prediction",
        variance_type="fixed_small",
        clip_sample=False,
        timestep_spacing="linspace",
    )


def build_pixel_unet() -> UNet2DModel:
    """7.4 M parameters, attention at 16 and 8 px; `attention_head_dim` is, in this class, the channels of a head."""
    unet = UNet2DModel(
        sample_size=SIDE,
        in_channels=3,
        out_channels=3,
        layers_per_block=1,
        block_out_channels=(32, 96, 128, 192),
        down_block_types=("DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=32,
        norm_num_groups=16,
    )
    return unfused(unet)


def unfused(unet: UNet2DModel) -> UNet2DModel:
    """`unet` with its attention written out: the CPU's fused attention is slow backwards."""
    for module in unet.modules():
        if isinstance(module, Attention):
            module.set_processor(AttnProcessor())
    return unet


def timestep_shares(scheduler: DDPMScheduler) -> Tensor:
    """How often each timestep is trained on, (T,) summing to 1.

    EVEN_SHARE evenly, the others by a log-normal noise level as in EDM (Karras et al. 2022): three quarters of the
    linear schedule's steps hold more noise than picture, and what an object of a dozen pixels looks like is decided
    in the rest.
    """
    log_sigma = ((1 - scheduler.alphas_cumprod) / scheduler.alphas_cumprod).sqrt().log()
    edges = Normal(*LOG_SIGMA).cdf(torch.cat([log_sigma, log_sigma[-1:]]))
    levels = edges.diff()
    return EVEN_SHARE / len(levels) + (1 - EVEN_SHARE) * levels / levels.sum()


def pixel_loss(
    unet: UNet2DModel, scheduler: DDPMScheduler, pictures: NDArray[np.uint8], *, batch: int, device: torch.device
) -> StepLoss:
    """`pictures` (N, side, side, 3) uint8 at the model's own side, mirrored half of the time.

    Pictures and random numbers are the device's own: at a thousand pictures a step, the CPU's would take as long as the
    network. So another kind of device draws other batches.
    """
    corpus = torch.from_numpy(pictures).to(device)
    shares = timestep_shares(scheduler).to(device)

    def loss(step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        drawn = torch.Generator(device).manual_seed(generator.initial_seed())
        clean = draw(corpus, batch, drawn)
        noise = torch.randn(clean.shape, generator=drawn, device=device)
        t = torch.multinomial(shares, batch, replacement=True, generator=drawn)
        noisy = scheduler.add_noise(clean, noise, t).to(memory_format=torch.channels_last)
        with autocast(device):
            velocity_pred = unet(noisy, t).sample
        velocity = scheduler.get_velocity(clean, noise, t)
        return F.mse_loss(velocity_pred.float(), velocity), {}

    return loss
