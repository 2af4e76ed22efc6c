"""Style guidance: pull the painted foreground towards the style statistics of the background.

The statistics are those of the latents, cheap and decoder-free, or of features of them (`style_features`). The
step size is FreeDoM's (Yu et al. 2023): tied to the size of the classifier-free correction, so one strength serves
every timestep and every picture.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from diffusers import DDIMScheduler
from torch import Tensor

from spin_bench.diffusion.guidance import NoisePredictor
from spin_bench.diffusion.sampler import Step


def mean_std(features: Tensor, weight: Tensor) -> Tensor:
    """Return channel means and deviations of (N, C, h, w), (N, 2C); `weight` (N or 1, 1, h, w) need not sum to 1."""
    share = weight / weight.sum((2, 3), keepdim=True)
    mean = (features * share).sum((2, 3), keepdim=True)
    deviation = ((features - mean).pow(2) * share).sum((2, 3)).add(1e-8).sqrt()
    return torch.cat([mean.flatten(1), deviation], dim=1)


def gram(features: Tensor, weight: Tensor) -> Tensor:
    """Return second moments between the channels of (N, C, h, w), (N, C * C), weighted as in `mean_std`."""
    share = weight / weight.sum((2, 3), keepdim=True)
    return torch.einsum("nchw,ndhw->ncd", features * share, features).flatten(1)


STATISTICS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"mean_std": mean_std, "gram": gram}


def style_distance(x0: Tensor, background: Tensor, mask: Tensor, *, statistic: str) -> Tensor:
    """Return the squared distance between the style of `x0` inside `mask` and of `background` outside it, (N,).

    `x0` (N, C, h, w), `background` (1, C, h, w), `mask` (1, 1, h', w') in [0, 1].
    """
    measure = STATISTICS[statistic]
    mask = at_grid(mask, x0)
    return (measure(x0, mask) - measure(background, 1 - mask)).pow(2).sum(1)


def at_grid(mask: Tensor, features: Tensor) -> Tensor:
    """Average `mask` (1, 1, h, w) down, or repeat it up, to the grid of `features`."""
    if mask.shape[-2:] == features.shape[-2:]:
        return mask
    return F.interpolate(mask, features.shape[-2:], mode="area")


def _x0(scheduler: DDIMScheduler, latents: Tensor, noise_pred: Tensor, t: int) -> Tensor:
    alpha = scheduler.alphas_cumprod[t].to(latents)
    return (latents - (1 - alpha).sqrt() * noise_pred) / alpha.sqrt()


def style_gradient(
    step: Step,
    background: Sequence[Tensor],
    mask: Tensor,
    *,
    features: Callable[[Tensor], Sequence[Tensor]],
    statistic: str,
    exact: bool,
    predict_noise: NoisePredictor,
    scheduler: DDIMScheduler,
) -> Tensor:
    """Return the gradient of the style distance, (N, C, h, w): with respect to the predicted x0, or to the latents.

    `exact` goes through the UNet to the latents that the step started from, at the price of a backward pass. The
    distance is summed over the layers of `features`; `background` holds those of the background.
    """
    with torch.enable_grad():
        if exact:
            variable = step.previous.detach().requires_grad_()
            x0 = _x0(scheduler, variable, predict_noise(variable, step.t).noise, step.t)
        else:
            variable = x0 = step.x0_pred.detach().requires_grad_()
        pairs = zip(features(x0), background, strict=True)
        distances = [style_distance(x.float(), b.float(), mask, statistic=statistic).sum() for x, b in pairs]
        distance = torch.stack(distances).sum()
        (gradient,) = torch.autograd.grad(distance, variable)
    return gradient


def _rms(values: Tensor, mask: Tensor) -> Tensor:
    total = (values.float().pow(2) * mask).sum((1, 2, 3), keepdim=True)
    return (total / (mask.sum((1, 2, 3), keepdim=True) * values.shape[1])).sqrt()


def style_correction(step: Step, gradient: Tensor, mask: Tensor, *, strength: float) -> Tensor:
    """Scale `gradient` to `strength` times the size (RMS) of the guidance inside `mask`, 0 outside: (N, C, h, w)."""
    size = strength * _rms(step.guidance, mask) / _rms(gradient, mask).clamp(min=1e-12)
    return (size * gradient * mask).to(step.latents.dtype)
