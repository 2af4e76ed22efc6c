"""Spin: the whole method, from a case to its painted pictures.

What the abstract fixes: saliency splits the reference, non-salient information is filtered out of the embedding, the
embedding is injected into the masked region only, style guidance pulls the foreground towards the background. Steps,
guidance scale, iterations and learning rate are the paper's settings. Every other default is ours: see docs/spin.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from PIL import Image
from torch import Tensor

from spin_bench.artefacts import Artefacts
from spin_bench.case import Case
from spin_bench.diffusion.blending import blend_background
from spin_bench.diffusion.guidance import classifier_free
from spin_bench.diffusion.latents import decode, encode, latent_mask, to_pictures, to_tensor
from spin_bench.diffusion.noise import NoiseSource
from spin_bench.diffusion.region_attention import pair, region_attention
from spin_bench.diffusion.sampler import Step, ddim
from spin_bench.diffusion.text import encode_prompt
from spin_bench.painter import Painter
from spin_bench.spin.embedding import encode_slotted, slotted_prompt
from spin_bench.spin.references import EmbeddingSettings, reference_embeddings
from spin_bench.spin.style import style_correction, style_gradient
from spin_bench.stack import Stack

VERSION = "1"  # raise when a change of this package changes pictures


@dataclass(frozen=True)
class SpinSettings:
    """Spin's switches; each ablation changes one."""

    steps: int = 50
    guidance_scale: float = 7.5
    embedding: EmbeddingSettings = field(default_factory=EmbeddingSettings)
    region_injection: bool = True  # False: the whole picture reads the embedding
    blending: str = "next"  # next | current | none: noise level of the background that is blended in
    fresh_noise: bool = False  # False: one noise an image serves every blend and the start
    style_strength: float = 0.03  # of the guidance's size; 0 switches style guidance off
    style_statistic: str = "mean_std"  # mean_std | gram
    style_exact: bool = False  # gradient through the UNet, or of the predicted x0 alone
    style_start: float = 0.3  # window of the steps, as fractions
    style_stop: float = 0.7


def spin(settings: SpinSettings, stack: Stack, artefacts: Artefacts) -> Painter:
    """A painter that keeps every reference's embedding in `artefacts`."""

    def paint(case: Case, seeds: Sequence[int]) -> list[Image.Image]:
        (embedding,) = reference_embeddings([case], settings.embedding, stack, artefacts)
        with torch.no_grad():
            images = decode(stack.vae, _generate(case, seeds, embedding.value.to(stack.device), settings, stack))
        pictures = to_pictures(images)
        for picture in pictures:
            picture.info["shared_seconds"] = embedding.seconds / len(pictures)
        return pictures

    return paint


def prepare(settings: SpinSettings, stack: Stack, artefacts: Artefacts, cases: Sequence[Case]) -> None:
    """Extract the references of several cases in one batch; the painter then finds them in `artefacts`."""
    reference_embeddings(cases, settings.embedding, stack, artefacts)


def _generate(case: Case, seeds: Sequence[int], vectors: Tensor, settings: SpinSettings, stack: Stack) -> Tensor:
    """Clean latents (images, C, h, w) of the painted pictures."""
    mask = latent_mask(case.mask, stack.vae).to(stack.device, stack.dtype)
    background = encode(stack.vae, to_tensor(case.background, stack.canvas))
    null = encode_prompt(stack.tokenizer, stack.text_encoder, "")
    prompt = slotted_prompt(stack, settings.embedding.template, vectors.shape[1])
    semantic = encode_slotted(stack, prompt, vectors)

    source = NoiseSource(seeds, stack.device, stack.dtype)
    shape = (stack.latent_channels, stack.latent_side, stack.latent_side)
    noise = source.normal(*shape)
    region = mask if settings.region_injection else torch.ones_like(mask)
    predict = classifier_free(stack.unet, pair(null, null), pair(semantic, null), settings.guidance_scale)
    # A mask that covers everything leaves no background to take a style from; one between the cells, no foreground.
    styled = settings.style_strength > 0 and 0 < mask.mean() < 1
    latents = noise
    with region_attention(stack.unet, region):
        for step in ddim(predict, stack.scheduler, noise, steps=settings.steps):
            if styled and settings.style_start <= step.index / settings.steps < settings.style_stop:
                gradient = style_gradient(
                    step,
                    background,
                    mask,
                    statistic=settings.style_statistic,
                    exact=settings.style_exact,
                    predict_noise=predict,
                    scheduler=stack.scheduler,
                )
                step.latents = step.latents - style_correction(step, gradient, mask, strength=settings.style_strength)
            fresh = source.normal(*shape) if settings.fresh_noise else noise
            step.latents = _blended(step, background, mask, fresh, settings, stack)
            latents = step.latents
    return latents


def _blended(
    step: Step, background: Tensor, mask: Tensor, noise: Tensor, settings: SpinSettings, stack: Stack
) -> Tensor:
    if settings.blending == "none":
        return step.latents
    t = {"next": step.t_next, "current": step.t}[settings.blending]
    return blend_background(step.latents, background, mask, noise, scheduler=stack.scheduler, t=t)
