"""Keeping the known region: at every step the latents outside the mask are replaced by the noised background."""

import torch.nn.functional as F
from diffusers import DDIMScheduler
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from spin_bench.diffusion.sampler import add_noise


def blend(inside: Tensor, outside: Tensor, mask: Tensor) -> Tensor:
    """Mix two tensors (N or 1, C, h, w) by `mask` (N or 1, 1, h, w) in [0, 1]: `inside` where it is 1."""
    return inside * mask + outside * (1 - mask)


def blend_background(
    latents: Tensor, background: Tensor, mask: Tensor, noise: Tensor, *, scheduler: DDIMScheduler, t: int
) -> Tensor:
    """Put `background` latents, noised to timestep `t` with `noise`, outside `mask`.

    Shapes as in `blend`. The right `t` is the timestep of `latents` (diffusers' inpainting); the published Blended
    methods use the one that the step started from, a notch noisier. t = -1 puts the clean background there.
    """
    return blend(latents, add_noise(scheduler, background, noise, t), mask)


def softened(mask: Tensor, sigma: float) -> Tensor:
    """Blur `mask` (N, K, H, W) by a Gaussian of deviation `sigma` cells, cut at three deviations; 0 keeps it."""
    if sigma == 0:
        return mask
    edge = max(1, round(3 * sigma))
    padded = F.pad(mask, (edge,) * 4, mode="replicate")
    return gaussian_blur(padded, [2 * edge + 1] * 2, [sigma] * 2)[..., edge:-edge, edge:-edge]
