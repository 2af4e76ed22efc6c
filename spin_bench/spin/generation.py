"""Painting: DDIM with guidance, injection of the embedding into its region, and style guidance."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spin_bench.diffusion.attention import attention_by
from spin_bench.diffusion.blending import softened
from spin_bench.diffusion.guidance import NoisePredictor, classifier_free
from spin_bench.diffusion.noise import NoiseSource
from spin_bench.diffusion.sampler import Step, ddim
from spin_bench.diffusion.unets import UNETS
from spin_bench.models.stack import Stack
from spin_bench.spin.backbone import seeing
from spin_bench.spin.context import Context
from spin_bench.spin.injection import INJECTIONS, injection
from spin_bench.spin.settings import SpinSettings
from spin_bench.spin.style import style_correction, style_gradient
from spin_bench.spin.style_features import FEATURES
from spin_bench.spin.transitions import STARTS, blended


@dataclass(frozen=True, eq=False)
class Scene:
    """One picture to paint, in the stack's dtype."""

    background: Tensor  # (1, C, h, w), scaled latents
    regions: Tensor  # (1, K, h, w) in [0, 1], their sum at most 1
    contexts: Sequence[Sequence[Context]]  # per region: what it reads, shares summing to 1
    outside: Tensor  # (1, window, width), what the rest of the picture reads
    null: Tensor  # (1, window, width), the null text
    known: Tensor | None  # (1, C', h, w), what an inpainting backbone reads behind the latents

    @property
    def mask(self) -> Tensor:
        """Return the union of the regions, (1, 1, h, w)."""
        return self.regions.sum(1, keepdim=True)

    def shared(self, regions: Tensor) -> Tensor:
        """Split `regions` (1, K or 1, h, w) into one channel per context, scaled by the context's share."""
        of_context = zip(self.contexts, regions.split(1, dim=1), strict=True)
        return torch.cat([context.share * region for contexts, region in of_context for context in contexts], 1)


def generate(scene: Scene, seeds: Sequence[int], settings: SpinSettings, stack: Stack) -> Tensor:
    """Paint `scene` once per seed and return clean latents (images, C, h, w)."""
    unet, rule, mask = UNETS[settings.backbone](stack), INJECTIONS[settings.injection], scene.mask
    contexts = [context for of_region in scene.contexts for context in of_region]
    positive = rule.contexts([context.states for context in contexts], scene.outside)
    negative = rule.contexts([scene.null for _ in contexts], scene.null)
    predict = classifier_free(seeing(unet, scene.known), negative, positive, settings.guidance_scale)

    where = softened(scene.regions, settings.soft_edges) if settings.region_injection else torch.ones_like(mask)
    region = scene.shared(where)  # a copy
    crossing = injection(region, contexts[0].slots, rule=settings.injection, grids=settings.injection_grids)
    source = NoiseSource(seeds, stack.device, stack.dtype)
    shape = (stack.latent_channels, stack.latent_side, stack.latent_side)
    noise = source.normal(*shape)
    latents = STARTS[settings.start](scene.background, noise, stack.scheduler, settings.steps)
    style = FEATURES[settings.style_features](scene.background, stack) if _styled(settings, mask) else []
    with attention_by(unet, across=crossing):
        for step in ddim(predict, stack.scheduler, latents, steps=settings.steps):
            done = step.index / settings.steps
            if style and settings.style_start <= done < settings.style_stop:
                step.latents = step.latents - _correction(step, style, mask, predict, settings, stack)
            fresh = source.normal(*shape) if settings.fresh_noise else noise
            step.latents = blended(
                step, scene.background, mask, fresh, scheduler=stack.scheduler, blending=settings.blending
            )
            if (step.index + 1) / settings.steps >= settings.injection_stop:
                region.zero_()  # the steps that follow inject nothing
            latents = step.latents
    return latents


def _styled(settings: SpinSettings, mask: Tensor) -> bool:
    """Style guidance needs a background to take the style from and a foreground to change."""
    return settings.style_strength > 0 and bool(0 < mask.mean() < 1)


def _correction(
    step: Step, style: list[Tensor], mask: Tensor, predict: NoisePredictor, settings: SpinSettings, stack: Stack
) -> Tensor:
    gradient = style_gradient(
        step,
        style,
        mask,
        features=lambda x0: FEATURES[settings.style_features](x0, stack),
        statistic=settings.style_statistic,
        exact=settings.style_exact,
        predict_noise=predict,
        scheduler=stack.scheduler,
    )
    return style_correction(step, gradient, mask, strength=settings.style_strength)
