"""Figures of the first four embedded models: VAE, CLIP, saliency, text-to-image; each with its pictures to look at."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from rich.console import Console
from torch import Tensor

from spin_bench.core.progress import watched
from spin_bench.diffusion.guidance import classifier_free
from spin_bench.diffusion.latents import decode, encode
from spin_bench.diffusion.noise import NoiseSource
from spin_bench.diffusion.sampler import ddim
from spin_bench.diffusion.text import encode_prompt
from spin_bench.mini.backgrounds import PLACES
from spin_bench.mini.captions import benchmark_prompt
from spin_bench.mini.looks import SHIPPED_WORLD
from spin_bench.mini.sprites import nouns
from spin_bench.mini.world import DOMAINS, sample_scene
from spin_bench.models.stack import Stack
from training import corpus
from training.train_vae import as_images
from training.zero_shot import object_hits, place_classes, recognised

SAMPLES, STEPS, GUIDANCE_SCALE, BATCH = 256, 50, 5.0, 16  # for text-to-image


def _chunks(function: Callable[[Tensor], Tensor], images: Tensor, size: int = 50) -> Tensor:
    return torch.cat([function(chunk) for chunk in images.split(size)])


def vae_figures(images: Tensor, scenes: corpus.Corpus, stack: Stack) -> tuple[dict[str, float], Tensor]:
    decoded = _chunks(lambda x: decode(stack.vae, encode(stack.vae, x)), images).clamp(-1, 1)
    psnr = -10 * torch.log10((decoded - images).pow(2).mean((1, 2, 3)) / 4)
    by_domain = {d: float(psnr[torch.tensor([x == d for x in scenes.domains])].mean()) for d in DOMAINS}
    figures = {"vae_psnr_db": min(by_domain.values())} | {f"vae_psnr_db_{d}": v for d, v in by_domain.items()}
    return figures, torch.stack([images[:48], decoded[:48]], 1).flatten(0, 1)


def clip_figures(images: Tensor, scenes: corpus.Corpus, stack: Stack) -> dict[str, float]:
    """Nouns on the subject's crop, places and domains on the whole picture."""
    full = torch.tensor([bool(noun) for noun in scenes.nouns])
    masks = torch.from_numpy(scenes.masks)[full]
    hits = object_hits(images[full], masks, [noun for noun in scenes.nouns if noun], stack)
    whole = stack.clip.encode_image(images)
    domains = ((whole @ place_classes(stack).flatten(0, 1).T).argmax(1) // len(PLACES)).tolist()
    _, places = recognised(images, scenes.nouns, scenes.places, scenes.domains, stack)
    return {
        "clip_object_top1": float(hits.float().mean()),
        "clip_background_top1": float(places.float().mean()),
        "clip_domain_top1": float(np.mean([DOMAINS[i] == d for i, d in zip(domains, scenes.domains, strict=True)])),
    }


def saliency_figures(stack: Stack) -> tuple[dict[str, float], Tensor]:
    """On reference photos as the benchmark has them: a large subject among one or two distractors."""
    rng = np.random.Generator(np.random.PCG64([SHIPPED_WORLD, corpus.HELD_OUT]))
    photos = [
        sample_scene(rng, nouns("train"), "real", size=(62, 84), distractors=int(rng.integers(1, 3)))
        for _ in range(128)
    ]
    images = as_images(torch.from_numpy(np.stack([corpus.paint(photo) for photo in photos])))
    truth = torch.from_numpy(np.stack([corpus.subject_mask(photo) for photo in photos]) > 0)
    assert stack.saliency is not None
    found = stack.saliency(images)[:, 0] > 0
    overlap = (found & truth).sum((1, 2)) / (found | truth).sum((1, 2))
    shown = [images[:16], *(m[:16, None].float().expand(-1, 3, -1, -1) * 2 - 1 for m in (truth, found))]
    return {"saliency_iou": float(overlap.mean())}, torch.cat(shown)


def text_to_image(stack: Stack, prompts: Sequence[str], seeds: Sequence[int]) -> Tensor:
    """(n, 3, H, W) pictures in [-1, 1], one a prompt and seed."""
    contexts = torch.cat([encode_prompt(stack.tokenizer, stack.text_encoder, prompt) for prompt in prompts])
    null = encode_prompt(stack.tokenizer, stack.text_encoder, "")
    predict = classifier_free(stack.unet, null, contexts, GUIDANCE_SCALE)
    noise = NoiseSource(seeds, stack.device, stack.dtype).normal(
        stack.latent_channels, stack.latent_side, stack.latent_side
    )
    latents = noise
    for step in ddim(predict, stack.scheduler, noise, steps=STEPS):
        latents = step.latents
    return decode(stack.vae, latents).clamp(-1, 1)


def text_to_image_figures(stack: Stack, console: Console) -> tuple[dict[str, float], Tensor]:
    rng = np.random.Generator(np.random.PCG64([SHIPPED_WORLD, corpus.HELD_OUT, 1]))
    domains = [str(domain) for domain in rng.choice(DOMAINS, SAMPLES, p=corpus.DOMAIN_SHARES)]
    scenes = [sample_scene(rng, nouns("train"), domain) for domain in domains]
    prompts = [benchmark_prompt(scene) for scene in scenes]
    starts = range(0, SAMPLES, BATCH)
    made = [
        text_to_image(stack, prompts[i : i + BATCH], range(i, i + BATCH))
        for i in watched(starts, total=len(starts), label="text to image", console=console)
    ]
    images = torch.cat(made)
    subjects = [scene.objects[-1].instance.noun for scene in scenes]
    noun_hits, place_hits = recognised(images, subjects, [scene.place for scene in scenes], domains, stack)
    figures = {"t2i_object": float(noun_hits.float().mean()), "t2i_background": float(place_hits.float().mean())}
    return figures, images[:128]
