"""The first latents, the background blended in at every step, and the known pixels put back at the end."""

from collections.abc import Callable

from diffusers import DDIMScheduler
from torch import Tensor

from spin_bench.diffusion.blending import blend, blend_background, softened
from spin_bench.diffusion.sampler import Step, add_noise, timesteps

FEATHER = 1 / 32  # of the canvas: deviation of the Gaussian over a feathered mask


def _from_noise(background: Tensor, noise: Tensor, scheduler: DDIMScheduler, steps: int) -> Tensor:
    return noise


def _from_background(background: Tensor, noise: Tensor, scheduler: DDIMScheduler, steps: int) -> Tensor:
    return add_noise(scheduler, background.expand_as(noise), noise, timesteps(scheduler, steps)[0])


# (background (1, C, h, w), noise (N, C, h, w), scheduler, steps) to the first latents
STARTS: dict[str, Callable[[Tensor, Tensor, DDIMScheduler, int], Tensor]] = {
    "noise": _from_noise,
    "background": _from_background,
}

# (step) to the timestep that the background is noised to; None: it is not blended in
BLENDINGS: dict[str, Callable[[Step], int | None]] = {
    "next": lambda step: step.t_next,
    "current": lambda step: step.t,
    "none": lambda step: None,
}


def blended(
    step: Step, background: Tensor, mask: Tensor, noise: Tensor, *, scheduler: DDIMScheduler, blending: str
) -> Tensor:
    """Blend `background` (1, C, h, w) into the step's latents outside `mask` (1, 1, h, w), noised by `noise`."""
    t = BLENDINGS[blending](step)
    if t is None:
        return step.latents
    return blend_background(step.latents, background, mask, noise, scheduler=scheduler, t=t)


def feathered(images: Tensor, background: Tensor, mask: Tensor) -> Tensor:
    """Put the known pixels over `images`, by a mask that falls off over a few pixels on either side of its border.

    Shapes as in PASTES.
    """
    return blend(images, background, softened(mask, FEATHER * mask.shape[-1]))


# (images (N, 3, H, W), background (1, 3, H, W), mask (1, 1, H, W) in {0, 1}) to images
PASTES: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "none": lambda images, background, mask: images,
    "paste": blend,
    "feathered": feathered,
}
