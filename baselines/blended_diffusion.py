"""Blended Diffusion (Avrahami et al., CVPR 2022): CLIP guides an unconditional pixel-space model inside the mask.

The picture is shrunk to the model's side, painted there and enlarged again. Quirks of the authors' code, kept: the
background is blended in at the noise level of the step's start, one notch too noisy, with one fresh noise that all
images share; the optional background losses compare with the unmasked picture; CLIP's views are shifted up and down,
never sideways (see augment); CLIP ranks candidates without its own normalisation of pictures; an empty prompt switches
all guidance off, the range loss, too.

Ours, since an image may depend on nothing but its seed: shared noise belongs to the case, and the mean of the optional
background loss is per image, not per batch.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from spin_bench.core.case import Case
from spin_bench.core.errors import UserError
from spin_bench.core.identity import derive_seed
from spin_bench.core.limits import Count, Size, SkippedShare, Steps
from spin_bench.diffusion.augment import augmented
from spin_bench.diffusion.blending import blend
from spin_bench.diffusion.latents import mask_to_tensor, to_pictures, to_tensor
from spin_bench.diffusion.noise import NoiseSource
from spin_bench.diffusion.pixel_sampler import Energy, ancestral, ddim, respaced
from spin_bench.methods.method import Method
from spin_bench.methods.painter import Painter
from spin_bench.models.stack import Stack

log = logging.getLogger(__name__)

VERSION = "3"
DISTANCE = "clip_distance"  # in every picture's `info`: ascending, the best first


@dataclass(frozen=True)
class BlendedDiffusionSettings:
    """Defaults of optimization/arguments.py."""

    steps: Steps = 100  # respaced out of the model's thousand
    skip_share: SkippedShare = 0.25  # share of the steps that is skipped: 25 of 100
    batch: Count = 4  # images at once. Batch size changes rounding; guidance amplifies it
    ddim: bool = False  # False (published): DDPM, which the authors' editor runs whatever its own flag says
    aug_num: Count = 8  # views of a picture that CLIP sees, the first one clean
    resample_once: bool = False  # False (published): a turned and bent view is resampled for each | True: once
    clip_guidance_lambda: Size = 1000.0
    range_lambda: Size = 50.0
    background_preservation_loss: bool = False  # False (published): the next two are not used
    lpips_sim_lambda: Size = 1000.0
    l2_sim_lambda: Size = 10000.0
    enforce_background: bool = True  # True (published): the known pixels are put back at the end
    shared_background_noise: bool = True  # True (published): one noise per step for all images | False: one per image
    normalised_ranking: bool = False  # False (published): CLIP ranks pictures without its mean and deviation


def blended_diffusion(settings: BlendedDiffusionSettings, stack: Stack) -> Painter:
    """Build a painter that sees background, mask and prompt, never the reference; it notes each picture's `DISTANCE`.

    Raises `UserError` if a setting is out of range.
    """
    if settings.aug_num < 1:
        raise UserError(f"aug_num={settings.aug_num}: CLIP must see at least the clean picture: set aug_num=1 or more")
    if settings.batch < 1:
        raise UserError(f"batch={settings.batch}: no image would be painted: set batch=1 or more")
    if not 0 <= settings.skip_share < 1:
        raise UserError(f"skip_share={settings.skip_share}: no step would be left: set a share in [0, 1)")

    def paint(case: Case, seeds: Sequence[int]) -> list[Image.Image]:
        side = stack.pixel.unet.config.sample_size
        picture = to_tensor(case.background, side).to(stack.device)
        mask = mask_to_tensor(case.mask, side).to(stack.device)
        if lost := stack.guide.lost_words(case.prompt):
            log.warning("prompt cut to the guide's window, lost: %s", lost)
        with torch.no_grad():
            prompt = stack.guide.encode_text([case.prompt])
        pictures: list[Image.Image] = []
        for first in range(0, len(seeds), settings.batch):
            group = seeds[first : first + settings.batch]
            # Always a full batch, so that an image is the same whatever else is asked for.
            filled = [*group, *[group[-1]] * (settings.batch - len(group))]
            pictures += _paint(case, filled, picture, mask, prompt)[: len(group)]
        return pictures

    @torch.no_grad()
    def _paint(case: Case, seeds: list[int], picture: Tensor, mask: Tensor, prompt: Tensor) -> list[Image.Image]:
        painted = _sample(case, seeds, picture, mask, prompt)
        if settings.enforce_background:
            painted = blend(painted, picture, mask)
        small = to_pictures(painted)
        features = rank_features(stack, painted.clamp(-1, 1), mask, settings.normalised_ranking)
        distances = spherical_distance(features, prompt).tolist()
        return [_enlarged(image, case, distance) for image, distance in zip(small, distances, strict=True)]

    def _sample(case: Case, seeds: list[int], picture: Tensor, mask: Tensor, prompt: Tensor) -> Tensor:
        source = NoiseSource(seeds, stack.device, torch.float32)
        shared = NoiseSource([derive_seed(0, case.digest, 0)], stack.device, torch.float32)
        background_source = shared if settings.shared_background_noise else source
        energy = guidance_energy(settings, stack, picture, mask, prompt, source) if case.prompt else None

        skip = int(settings.steps * settings.skip_share)
        first = respaced(stack.pixel.scheduler, settings.steps)[skip]
        shape = picture.shape[1:]
        x = noised(stack, picture, source.normal(*shape), first)
        if settings.ddim:
            steps = ddim(stack.pixel, x, steps=settings.steps, skip=skip, energy=energy)
        else:
            steps = ancestral(stack.pixel, x, source, steps=settings.steps, skip=skip, energy=energy)
        for step in steps:
            # step.t, not step.t_next: one notch noisier than the pictures inside the mask are
            step.x = blend(step.x, noised(stack, picture, background_source.normal(*shape), step.t), mask)
            x0_pred = step.x0_pred
        return x0_pred

    def _enlarged(small: Image.Image, case: Case, distance: float) -> Image.Image:
        painted = small.resize((stack.canvas, stack.canvas), Image.Resampling.LANCZOS)
        if settings.enforce_background:
            painted = Image.composite(painted, case.background, case.mask)
        painted.info[DISTANCE] = distance
        return painted

    return paint


def guidance_energy(
    settings: BlendedDiffusionSettings, stack: Stack, picture: Tensor, mask: Tensor, prompt: Tensor, source: NoiseSource
) -> Energy:
    """Build the energy that every step descends: CLIP's distance from masked picture to prompt, and the range loss.

    `picture` (1, 3, side, side) in [-1, 1], `mask` (1, 1, side, side) in {0, 1}, `prompt` (1, width).
    """
    guide = stack.guide
    scale, shift = 1 / (2 * guide.std), (0.5 - guide.mean) / guide.std  # from [-1, 1] to what CLIP's network sees

    def energy(x_t: Tensor, x0_pred: Tensor, t: int) -> Tensor:
        share = (1 - stack.pixel.scheduler.alphas_cumprod[t].item()) ** 0.5
        mixed = x_t.lerp(x0_pred, share)
        total = settings.range_lambda * (x0_pred - x0_pred.clamp(-1, 1)).pow(2).mean((1, 2, 3))
        if settings.clip_guidance_lambda:
            # Resampling is linear: scaling the picture is scaling its views, which are larger.
            views = augmented(
                mixed * mask * scale,  # 0 outside the mask is mid-grey
                source.generators,
                copies=settings.aug_num,
                side=guide.side,
                resample_once=settings.resample_once,
            )
            distances = spherical_distance(guide.encode_normalised(views.flatten(0, 1) + shift), prompt)
            total = total + settings.clip_guidance_lambda * distances.view(settings.aug_num, -1).mean(0)
        if settings.background_preservation_loss:
            # Quirk: the painted region is grey in the one, but not in the other.
            outside, target = mixed * (1 - mask), picture.expand_as(mixed)
            total = total + settings.lpips_sim_lambda * stack.perceptual(outside, target)
            total = total + settings.l2_sim_lambda * (outside - target).pow(2).mean((1, 2, 3))
        return total

    return energy


def spherical_distance(features: Tensor, others: Tensor) -> Tensor:
    """Return 2 arcsin(|u - v| / 2)^2 of unit vectors (N or 1, width), half the squared great-circle distance: (N,)."""
    return 2 * ((features - others).norm(dim=1) / 2).arcsin().pow(2)


def rank_features(stack: Stack, painted: Tensor, mask: Tensor, normalised: bool) -> Tensor:
    """Encode `painted` (N, 3, side, side) in [-1, 1] inside the mask, black outside: (N, width)."""
    size = (stack.guide.side, stack.guide.side)
    pictures = F.interpolate((painted + 1) / 2 * mask, size, mode="bilinear", align_corners=False)
    if normalised:
        pictures = (pictures - stack.guide.mean) / stack.guide.std
    return stack.guide.encode_normalised(pictures)


def noised(stack: Stack, picture: Tensor, noise: Tensor, t: int) -> Tensor:
    """Noise `picture` to timestep `t`, q(x_t | picture): float32, of the shape of `noise`."""
    return stack.pixel.scheduler.add_noise(picture, noise, torch.tensor([t], device=picture.device))


METHOD = Method(
    "Blended",
    BlendedDiffusionSettings,
    blended_diffusion,
    VERSION,
    uses=("pixel", "clip", "guide", "tokenizer", "perceptual"),
    colour="#56B4E9",
    batch=lambda settings: settings.batch,
    ranked_by=DISTANCE,
)
