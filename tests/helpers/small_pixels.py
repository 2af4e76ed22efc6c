"""A pixel-space model of random weights, and noise by seed."""

import torch
from diffusers import DDPMScheduler, UNet2DModel

from spin_bench.models.stack import PixelDiffusion

SIDE = 8


def pixels(
    variance_type: str = "fixed_small", *, prediction_type: str = "epsilon", trained: int = 1000
) -> PixelDiffusion:
    """A small model of random weights."""
    torch.manual_seed(0)
    unet = UNet2DModel(
        sample_size=SIDE,
        out_channels=6 if variance_type == "learned_range" else 3,
        block_out_channels=(16, 16),
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        norm_num_groups=8,
    )
    scheduler = DDPMScheduler(
        num_train_timesteps=trained,
        variance_type=variance_type,
        prediction_type=prediction_type,
        timestep_spacing="linspace",
        clip_sample=False,
    )
    return PixelDiffusion(unet.eval().requires_grad_(False), scheduler)


def seeded_noise(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))
