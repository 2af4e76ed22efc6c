"""Inpainting as diffusers does it: its own `StableDiffusionInpaintPipeline`, over the modules of a stack.

A UNet of nine channels reads [latents | mask | VAE(picture with a grey hole)] at every step. Nothing is blended between
steps, so the background shifts by the VAE's round trip unless it is pasted back.
"""

from collections.abc import Sequence

import torch
from diffusers import StableDiffusionInpaintPipeline, UNet2DConditionModel
from PIL import Image
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from spin_bench.core.errors import BadSetting, PaintingError
from spin_bench.diffusion.latents import latent_mask
from spin_bench.models.stack import Stack


class InpaintPipeline(StableDiffusionInpaintPipeline):
    """diffusers' pipeline with a check for numbers where it would check for safety: it sees the decoded tensors."""

    @property
    def _execution_device(self) -> torch.device:
        return self.vae.device  # the UNet may be waiting elsewhere for its turn

    def run_safety_checker(self, image: Tensor, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, None]:
        if not torch.isfinite(image).all():
            raise PaintingError(
                "NaN or infinity in the decoded picture: try stack.dtype=float32 or a lower guidance_scale"
            )
        return image, None


def inpaint_pipeline(
    stack: Stack, unet: UNet2DConditionModel, text_encoder: CLIPTextModel, tokenizer: CLIPTokenizer
) -> InpaintPipeline:
    """The pipeline over the stack's VAE and DDIM scheduler; no module is copied."""
    pipeline = InpaintPipeline(
        vae=stack.vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=stack.scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def expect_steps(steps: int, strength: float) -> None:
    """Raise `BadSetting` if `strength`, a share of `steps`, leaves none to run."""
    if not 0 < strength <= 1 or int(steps * strength) < 1:
        raise BadSetting(
            f"strength={strength}: of {steps} steps leaves nothing to run: take one in (0, 1], or more steps"
        )


def inpaint(
    pipeline: InpaintPipeline,
    pictures: Sequence[Image.Image],
    masks: Sequence[Image.Image],
    seeds: Sequence[int],
    *,
    positive: Tensor,
    negative: Tensor,
    steps: int,
    guidance_scale: float,
    strength: float = 1.0,
    padding_mask_crop: int | None = None,
    paste_back: bool = False,
) -> list[Image.Image]:
    """Paint each of N `pictures` (RGB, one size) where its mask (L) is white, from its own seed.

    `positive` and `negative` are the text's hidden states, (N or 1, tokens, width). `paste_back` puts the known pixels
    over what was painted, as diffusers' guide to inpainting does; a mask may be soft. Raises `PaintingError` for a mask
    without a latent cell, unless `padding_mask_crop` (px) enlarges it first.
    """
    n = len(seeds)
    if padding_mask_crop is None:
        for mask in masks:
            latent_mask(mask, pipeline.vae)
    positive, negative = positive.expand(n, -1, -1), negative.expand(n, -1, -1)

    def run(
        picture: Image.Image | list[Image.Image], mask: Image.Image | list[Image.Image], rows: slice
    ) -> list[Image.Image]:
        # Given one picture for several images, the pipeline would draw its latents with the first image's generator:
        # one copy per image keeps image k from depending on another's seed.
        return pipeline(
            image=picture,
            mask_image=mask,
            prompt_embeds=positive[rows],
            negative_prompt_embeds=negative[rows],
            generator=[torch.Generator().manual_seed(seed) for seed in seeds[rows]],
            height=pictures[0].height,
            width=pictures[0].width,
            num_inference_steps=steps,
            guidance_scale=guidance_scale,
            strength=strength,
            padding_mask_crop=padding_mask_crop,
        ).images

    if padding_mask_crop is None:
        painted = run(list(pictures), list(masks), slice(None))
    else:  # with this option the pipeline takes one picture at a time
        painted = [run(pictures[k], masks[k], slice(k, k + 1))[0] for k in range(n)]
    if not paste_back:
        return painted
    overlay = pipeline.image_processor.apply_overlay
    return [overlay(mask, known, picture) for mask, known, picture in zip(masks, pictures, painted, strict=True)]
