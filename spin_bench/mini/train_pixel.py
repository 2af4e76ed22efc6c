"""The embedded pixel-space model: an unconditional UNet at half the canvas, for Blended Diffusion."""

from diffusers import DDPMScheduler, UNet2DModel

SIDE = 32  # px: half the canvas, as guided-diffusion's 256 is to 512


def build_pixel_scheduler() -> DDPMScheduler:
    """The linear schedule of guided-diffusion (Dhariwal & Nichol 2021), with its smaller fixed variance."""
    return DDPMScheduler(
        beta_start=1e-4, beta_end=0.02, beta_schedule="linear", variance_type="fixed_small", clip_sample=False
    )


def build_pixel_unet() -> UNet2DModel:
    """`attention_head_dim` is, in this class, the channels of a head."""
    return UNet2DModel(
        sample_size=SIDE,
        in_channels=3,
        out_channels=3,
        layers_per_block=2,
        block_out_channels=(32, 96, 192),
        down_block_types=("DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=32,
        norm_num_groups=16,
    )
