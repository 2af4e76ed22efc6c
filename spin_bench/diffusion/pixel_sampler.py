"""Sampling in pixel space with guided-diffusion's arithmetic: respaced steps, fixed or learned variance, guidance.

Each sampler is a generator over its states, like `sampler.ddim`: the caller may replace `x` between steps. If there is
an energy of the noisy and the predicted clean pictures, its gradient is taken through the network.

The predicted clean pictures are never clipped. The state stays in float32; only the network runs in its own precision,
as guided-diffusion's half-precision model does.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from diffusers import DDPMScheduler
from torch import Tensor

from spin_bench.core.errors import UserError, unknown
from spin_bench.diffusion.noise import NoiseSource
from spin_bench.models.stack import PixelDiffusion

# (x_t, x0_pred, t) to (N,); both pictures are (N, C, side, side), float32. A row must not depend on another.
Energy = Callable[[Tensor, Tensor, int], Tensor]


# Ratio of noise to clean picture in x_t, above which layout and kind of object are decided.
NOISY = 3.0


@dataclass
class PixelStep:
    """State after one step; assign `x` to change what the next step sees. Pictures: (N, C, side, side), float32."""

    index: int
    t: int  # timestep that the network saw
    t_next: int  # timestep of `x`; -1 once clean
    x: Tensor
    x0_pred: Tensor


class Estimate(NamedTuple):
    """Predictions of one pass from x_t; all (N, C, side, side), float32."""

    noise_pred: Tensor
    x0_pred: Tensor
    share: Tensor | None  # about [-1, 1]: a learned variance's place between the two fixed ones; None if not learned
    descent: Tensor | None  # minus the energy's gradient with respect to x_t; None without an energy


def respaced(scheduler: DDPMScheduler, steps: int) -> list[int]:
    """Space `steps` timesteps as guided-diffusion does, evenly, rounded, both ends kept; noisiest first.

    Raises `UserError` if `steps` is less than 1 or more than the model was trained on.
    """
    trained = scheduler.config.num_train_timesteps
    if not 1 <= steps <= trained:
        raise UserError(f"steps={steps}: the pixel-space model was trained on {trained}: set steps from 1 to {trained}")
    return [int(t) for t in np.linspace(0, trained - 1, steps).round()[::-1]]


def estimate(model: PixelDiffusion, x: Tensor, t: int, energy: Energy | None = None) -> Estimate:
    """Run the network once on `x` (N, C, side, side) at timestep `t`, and once backwards if there is an `energy`.

    Raises `UserError` if the scheduler's prediction type is unknown.
    """
    kind = model.scheduler.config.prediction_type
    if kind not in PREDICTIONS:
        raise unknown("prediction_type", kind, list(PREDICTIONS))
    alpha = model.scheduler.alphas_cumprod[t].item()
    with torch.set_grad_enabled(energy is not None):
        x = x.detach().float().requires_grad_(energy is not None)
        out = model.unet(x.to(model.dtype), t).sample.float()
        predicted, share = out.split(x.shape[1], 1) if out.shape[1] == 2 * x.shape[1] else (out, None)
        noise_pred, x0_pred = PREDICTIONS[kind](x, predicted, alpha)
        descent = None if energy is None else -torch.autograd.grad(energy(x, x0_pred, t).sum(), x)[0]
    return Estimate(noise_pred.detach(), x0_pred.detach(), None if share is None else share.detach(), descent)


def ancestral(
    model: PixelDiffusion,
    x: Tensor,
    source: NoiseSource,
    *,
    steps: int,
    skip: int = 0,
    energy: Energy | None = None,
    noise_scale: float = 1.0,
) -> Iterator[PixelStep]:
    """Sample by DDPM (Ho et al. 2020); the energy moves each step's mean by its descent times the step's variance.

    `skip` leaves out that many of the first `steps` timesteps; `x` is at the first one left. The last step returns its
    predicted clean pictures: it has no variance, so no guidance.

    `noise_scale` multiplies the fresh noise of steps that start with more than `NOISY` times as much noise as picture:
    S_noise and S_tmin of EDM (Karras et al. 2022), there, too, a remedy for networks that remove too much noise.
    Raises `UserError` if the scheduler's variance type is unknown.
    """
    kind = model.scheduler.config.variance_type
    if kind not in VARIANCES:
        raise unknown("variance_type", kind, list(VARIANCES))
    x = x.float()
    for index, (t, t_next) in enumerate(_moves(model, steps, skip)):
        alpha, alpha_next = _alpha(model, t), _alpha(model, t_next)
        beta = 1 - alpha / alpha_next
        guess = estimate(model, x, t, energy if t_next >= 0 else None)
        towards_x0 = alpha_next**0.5 * beta / (1 - alpha)
        towards_x = (alpha / alpha_next) ** 0.5 * (1 - alpha_next) / (1 - alpha)
        mean = towards_x0 * guess.x0_pred + towards_x * x
        if t_next >= 0:
            posterior = (1 - alpha_next) / (1 - alpha) * beta
            variance = VARIANCES[kind](x.new_tensor(posterior), x.new_tensor(beta), guess.share)
            if guess.descent is not None:
                mean = mean + variance * guess.descent
            scale = noise_scale if ((1 - alpha) / alpha) ** 0.5 > NOISY else 1.0
            mean = mean + scale * variance.sqrt() * source.normal(*x.shape[1:]).float()
        step = PixelStep(index, t, t_next, mean, guess.x0_pred)
        yield step
        x = step.x


def ddim(
    model: PixelDiffusion, x: Tensor, *, steps: int, skip: int = 0, energy: Energy | None = None
) -> Iterator[PixelStep]:
    """Sample by DDIM at eta = 0 (Song et al. 2020); the energy shifts the predicted noise, hence the predicted picture.

    `x` and `skip` as in `ancestral`.
    """
    x = x.float()
    for index, (t, t_next) in enumerate(_moves(model, steps, skip)):
        alpha, alpha_next = _alpha(model, t), _alpha(model, t_next)
        noise_pred, x0_pred, _, descent = estimate(model, x, t, energy)
        if descent is not None:
            noise_pred = noise_pred - (1 - alpha) ** 0.5 * descent
            x0_pred = (x - (1 - alpha) ** 0.5 * noise_pred) / alpha**0.5
        moved = alpha_next**0.5 * x0_pred + (1 - alpha_next) ** 0.5 * noise_pred
        step = PixelStep(index, t, t_next, moved, x0_pred)
        yield step
        x = step.x


def _moves(model: PixelDiffusion, steps: int, skip: int) -> list[tuple[int, int]]:
    timesteps = respaced(model.scheduler, steps)[skip:]
    return list(zip(timesteps, [*timesteps[1:], -1], strict=True))


def _alpha(model: PixelDiffusion, t: int) -> float:
    return model.scheduler.alphas_cumprod[t].item() if t >= 0 else 1.0


def _of_noise(x: Tensor, noise_pred: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    return noise_pred, (x - (1 - alpha) ** 0.5 * noise_pred) / alpha**0.5


def _of_velocity(x: Tensor, velocity: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Velocity: sqrt(alpha) noise - sqrt(1 - alpha) x0 (Salimans & Ho 2022)."""
    noise_pred = alpha**0.5 * velocity + (1 - alpha) ** 0.5 * x
    return noise_pred, alpha**0.5 * x - (1 - alpha) ** 0.5 * velocity


def _learned_range(posterior: Tensor, beta: Tensor, share: Tensor | None) -> Tensor:
    if share is None:
        raise UserError(
            "variance_type=learned_range: the pixel UNet predicts no variance: set variance_type=fixed_small"
        )
    part = (share + 1) / 2
    return (part * beta.log() + (1 - part) * posterior.log()).exp()


# (posterior variance, beta of the step, learned share) to the variance of the step
VARIANCES: dict[str, Callable[[Tensor, Tensor, Tensor | None], Tensor]] = {
    "fixed_small": lambda posterior, beta, share: posterior,
    "fixed_large": lambda posterior, beta, share: beta,
    "learned_range": _learned_range,
}

# (x_t, what the network predicts, alpha-bar) to (noise_pred, x0_pred)
PREDICTIONS: dict[str, Callable[[Tensor, Tensor, float], tuple[Tensor, Tensor]]] = {
    "epsilon": _of_noise,
    "v_prediction": _of_velocity,
}
