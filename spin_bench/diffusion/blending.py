"""Keeping the known region: at every step the latents outside the mask are replaced by the noised background."""

from diffusers import DDIMScheduler
from torch import Tensor

from spin_bench.diffusion.sampler import add_noise


def blend(inside: Tensor, outside: Tensor, mask: Tensor) -> Tensor:
    """`mask` (N or 1, 1, h, w) in [0, 1] chooses `inside`."""
    return inside * mask + outside * (1 - mask)


def blend_background(
    latents: Tensor, background: Tensor, mask: Tensor, noise: Tensor, *, scheduler: DDIMScheduler, t: int
) -> Tensor:
    """Put `background` latents, noised to timestep `t` with `noise`, outside `mask`.

    Right is the timestep that `latents` are at (diffusers' inpainting); the published Blended methods use the one that
    the step started from, a notch noisier. t = -1 puts the clean background there.
    """
    return blend(latents, add_noise(scheduler, background, noise, t), mask)
