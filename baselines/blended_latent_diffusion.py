"""Blended Latent Diffusion (Avrahami et al., SIGGRAPH 2023), after the authors' Stable Diffusion script.

Quirks of the published script, kept as defaults: the latents start as pure noise although the first quarter of the
steps is skipped, and the background is blended in at the noise level of the step's start, one notch too noisy, with
fresh noise every time. Nothing is pasted back into the decoded picture.

The last three settings are options of the authors' first version, on LDM, where they are off by default, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from PIL import Image
from torch import Tensor

from spin_bench.core.case import Case
from spin_bench.core.errors import unknown
from spin_bench.core.limits import Share, SkippedShare, Steps, WholeNumber
from spin_bench.diffusion.blending import blend, blend_background
from spin_bench.diffusion.guidance import classifier_free
from spin_bench.diffusion.latents import decode, encode, latent_mask, mask_to_tensor, to_pictures, to_tensor
from spin_bench.diffusion.mask_schedule import mask_at, shrinking_masks
from spin_bench.diffusion.noise import NoiseSource
from spin_bench.diffusion.reconstruction import RECONSTRUCTIONS
from spin_bench.diffusion.sampler import add_noise, ddim, timesteps
from spin_bench.diffusion.text import encode_prompt
from spin_bench.methods.method import Method
from spin_bench.methods.painter import Painter
from spin_bench.models.stack import Stack

VERSION = "1"


@dataclass(frozen=True)
class BlendedLatentDiffusionSettings:
    """Defaults of scripts/text_editing_SD2.py."""

    steps: Steps = 50
    guidance_scale: float = 7.5
    blending_start_percentage: SkippedShare = 0.25  # share of the steps that is skipped
    start: Literal["noise", "background"] = (
        "noise"  # noise (published) | background: the background noised to the first timestep that is run
    )
    blending: Literal["current", "next"] = (
        "current"  # current (published) | next: the noise level that the latents are at
    )
    mask_dilation_iterations: WholeNumber = 0  # progressive mask shrinking: number of dilated masks that come first
    pixel_blending_share: Share = 0.0  # last share of the steps, in which pixels are blended instead of latents
    reconstruction: Literal["none", "paste", "poisson", "decoder", "latents"] = (
        "none"  # none | paste | poisson | decoder | latents: how the background comes back
    )


def blended_latent_diffusion(settings: BlendedLatentDiffusionSettings, stack: Stack) -> Painter:
    """Build a painter that sees background, mask and prompt, never the reference.

    Raises `UserError` if the reconstruction is unknown.
    """
    if settings.reconstruction not in RECONSTRUCTIONS:
        raise unknown("reconstruction", settings.reconstruction, list(RECONSTRUCTIONS))

    @torch.no_grad()
    def paint(case: Case, seeds: Sequence[int]) -> list[Image.Image]:
        picture = to_tensor(case.background, stack.canvas).to(stack.device, stack.dtype)
        cover = mask_to_tensor(case.mask).to(stack.device, stack.dtype)
        background = encode(stack.vae, picture)
        masks = shrinking_masks(
            latent_mask(case.mask, stack.vae).to(stack.device, stack.dtype), settings.mask_dilation_iterations
        )
        prompt = encode_prompt(stack.tokenizer, stack.text_encoder, case.prompt)
        null = encode_prompt(stack.tokenizer, stack.text_encoder, "")
        predict = classifier_free(stack.unet, null, prompt, settings.guidance_scale)

        def with_known_pixels(x0_pred: Tensor) -> Tensor:
            return encode(stack.vae, blend(decode(stack.vae, x0_pred), picture, cover))

        source = NoiseSource(seeds, stack.device, stack.dtype)
        shape = background.shape[1:]
        skip = int(settings.steps * settings.blending_start_percentage)
        latents = source.normal(*shape)
        if settings.start == "background":
            first = timesteps(stack.scheduler, settings.steps)[skip]
            latents = add_noise(stack.scheduler, background, latents, first)
        run = settings.steps - skip
        for step in ddim(predict, stack.scheduler, latents, steps=settings.steps, skip=skip):
            t = {"current": step.t, "next": step.t_next}[settings.blending]
            noise = source.normal(*shape)
            if step.index >= run * (1 - settings.pixel_blending_share):
                step.latents = add_noise(stack.scheduler, with_known_pixels(step.x0_pred), noise, t)
            else:
                mask = mask_at(masks, step.index, run)
                step.latents = blend_background(step.latents, background, mask, noise, scheduler=stack.scheduler, t=t)
            latents = step.latents
        restore = RECONSTRUCTIONS[settings.reconstruction]
        return to_pictures(restore(decode(stack.vae, latents), picture, cover, stack.vae))

    return paint


METHOD = Method(
    "BLD",
    BlendedLatentDiffusionSettings,
    blended_latent_diffusion,
    VERSION,
    uses=("vae", "unet", "text_encoder", "tokenizer", "scheduler"),
    colour="#0072B2",
)
