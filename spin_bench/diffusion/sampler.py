"""DDIM as a generator: the loop that every latent method shares.

A caller drives the loop and may replace the latents between steps, so that blending, guidance and injection stay in
the method's own file and read top to bottom.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from diffusers import DDIMScheduler
from torch import Tensor

from spin_bench.diffusion.guidance import NoisePredictor


@dataclass
class Step:
    """State after one denoising step; assign `latents` to change what the next step sees."""

    index: int
    t: int  # timestep that the noise was predicted at
    t_next: int  # timestep of `latents`; -1 once clean
    latents: Tensor  # (batch, channels, height, width)
    x0_pred: Tensor  # same shape
    guidance: Tensor  # same shape: what guidance added to the predicted noise
    previous: Tensor  # same shape: the latents that the step started from


def timesteps(scheduler: DDIMScheduler, steps: int) -> list[int]:
    """Return the `steps` timesteps of `scheduler`, noisiest first."""
    scheduler.set_timesteps(steps)
    return [int(t) for t in scheduler.timesteps]


def ddim(
    predict_noise: NoisePredictor, scheduler: DDIMScheduler, latents: Tensor, *, steps: int, skip: int = 0
) -> Iterator[Step]:
    """Denoise `latents` deterministically (Song et al. 2020, eta = 0), yielding after every step.

    `skip` leaves out that many of the first `steps` timesteps. The state is float32 whatever the networks' precision,
    since the schedule's small differences drown in half of it.
    """
    latents = latents.float()
    schedule = timesteps(scheduler, steps)[skip:]
    for index, (t, t_next) in enumerate(zip(schedule, [*schedule[1:], -1], strict=True)):
        noise_pred, guidance = predict_noise(latents, t)
        out = scheduler.step(noise_pred, t, latents)
        step = Step(index, t, t_next, out.prev_sample, out.pred_original_sample, guidance, latents)
        yield step
        latents = step.latents


def add_noise(scheduler: DDIMScheduler, clean: Tensor, noise: Tensor, t: int) -> Tensor:
    """Sample q(x_t | x_0) for one timestep, float32, of any shape; t = -1 means clean and returns `clean` itself."""
    if t < 0:
        return clean
    return scheduler.add_noise(clean.float(), noise.float(), torch.tensor([t], device=clean.device))
