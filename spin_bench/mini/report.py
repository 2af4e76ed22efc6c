"""How good the embedded models are, on scenes that none of them was trained on: `make mini-report`.

Writes results/reference/mini/models.json, models.md and a picture grid for each model.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from torch import Tensor

from spin_bench.diffusion.guidance import classifier_free
from spin_bench.diffusion.latents import decode, encode
from spin_bench.diffusion.noise import NoiseSource
from spin_bench.diffusion.sampler import ddim
from spin_bench.diffusion.text import encode_prompt
from spin_bench.files import write_whole
from spin_bench.mini import corpus
from spin_bench.mini.backgrounds import PLACES
from spin_bench.mini.captions import BENCHMARK, benchmark_prompt
from spin_bench.mini.sprites import nouns, sprites
from spin_bench.mini.train_clip import crop_to_subjects
from spin_bench.mini.train_vae import as_images
from spin_bench.mini.world import DOMAINS, sample_scene
from spin_bench.paths import cache_folder
from spin_bench.progress import watched
from spin_bench.stack import Stack
from spin_bench.stacks.config import StackConfig
from spin_bench.stacks.load import load_stack

SCENES = 1000  # held-out, for VAE, CLIP and saliency
SAMPLES, STEPS, GUIDANCE_SCALE, BATCH = 256, 50, 5.0, 16  # for text-to-image

# What each figure should reach; short of it, the true figure is shipped and said.
TARGETS = {
    "vae_psnr_db": 25.0,
    "clip_object_top1": 0.90,
    "clip_background_top1": 0.90,
    "clip_domain_top1": 0.95,
    "t2i_object": 0.75,
    "t2i_background": 0.85,
    "saliency_iou": 0.85,
}


def object_classes(stack: Stack) -> Tensor:
    """Zero-shot classifier of the trained nouns, (nouns, width)."""
    return stack.clip.encode_text([f"a photo of {sprites()[noun].with_article}" for noun in nouns("train")])


def place_classes(stack: Stack) -> Tensor:
    """Zero-shot classifier of (domain, place): prompts averaged over all nouns, as CLIP's own ensembles are."""
    texts = [
        BENCHMARK[domain].format(f"{sprites()[noun].with_article} {where}")
        for domain in DOMAINS
        for where in PLACES.values()
        for noun in nouns("train")
    ]
    means = stack.clip.encode_text(texts).unflatten(0, (len(DOMAINS), len(PLACES), -1)).mean(2)
    return torch.nn.functional.normalize(means, dim=-1)


def recognised(
    images: Tensor, subjects: Sequence[str], places: Sequence[str], domains: Sequence[str], stack: Stack
) -> tuple[Tensor, Tensor]:
    """Shares of pictures whose noun and whose place CLIP names right, zero-shot, as (noun, place) hits (n,) bool."""
    features = stack.clip.encode_image(images)
    named = (features @ object_classes(stack).T).argmax(1).tolist()
    noun_hits = torch.tensor([nouns("train")[i] == noun for i, noun in zip(named, subjects, strict=True)])
    of_own_domain = place_classes(stack)[[DOMAINS.index(domain) for domain in domains]]
    found = torch.einsum("nw,npw->np", features, of_own_domain).argmax(1).tolist()
    place_hits = torch.tensor([list(PLACES)[i] == place for i, place in zip(found, places, strict=True)])
    return noun_hits, place_hits


def _chunks(function: Callable[[Tensor], Tensor], images: Tensor, size: int = 50) -> Tensor:
    return torch.cat([function(chunk) for chunk in images.split(size)])


def vae_figures(images: Tensor, scenes: corpus.Corpus, stack: Stack) -> tuple[dict[str, float], Image.Image]:
    decoded = _chunks(lambda x: decode(stack.vae, encode(stack.vae, x)), images).clamp(-1, 1)
    psnr = -10 * torch.log10((decoded - images).pow(2).mean((1, 2, 3)) / 4)
    by_domain = {d: float(psnr[torch.tensor([x == d for x in scenes.domains])].mean()) for d in DOMAINS}
    figures = {"vae_psnr_db": min(by_domain.values())} | {f"vae_psnr_db_{d}": v for d, v in by_domain.items()}
    return figures, picture_grid(torch.stack([images[:48], decoded[:48]], 1).flatten(0, 1), columns=16)


def clip_figures(images: Tensor, scenes: corpus.Corpus, stack: Stack) -> dict[str, float]:
    """Nouns on the subject's crop, places and domains on the whole picture."""
    full = torch.tensor([bool(noun) for noun in scenes.nouns])
    masks = torch.from_numpy(scenes.masks)[full]
    crops = crop_to_subjects(images[full], masks, torch.zeros(len(masks), dtype=torch.bool), torch.Generator())
    named = (stack.clip.encode_image(crops) @ object_classes(stack).T).argmax(1).tolist()
    subjects = [noun for noun in scenes.nouns if noun]
    whole = stack.clip.encode_image(images)
    domains = ((whole @ place_classes(stack).flatten(0, 1).T).argmax(1) // len(PLACES)).tolist()
    _, places = recognised(images, scenes.nouns, scenes.places, scenes.domains, stack)
    return {
        "clip_object_top1": float(np.mean([nouns("train")[i] == s for i, s in zip(named, subjects, strict=True)])),
        "clip_background_top1": float(places.float().mean()),
        "clip_domain_top1": float(np.mean([DOMAINS[i] == d for i, d in zip(domains, scenes.domains, strict=True)])),
    }


def saliency_figures(stack: Stack) -> tuple[dict[str, float], Image.Image]:
    """On reference photos as the benchmark has them: a large subject among one or two distractors."""
    rng = np.random.Generator(np.random.PCG64([corpus.WORLD_VERSION, corpus.HELD_OUT]))
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
    return {"saliency_iou": float(overlap.mean())}, picture_grid(torch.cat(shown), columns=16)


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


def text_to_image_figures(stack: Stack, console: Console) -> tuple[dict[str, float], Image.Image]:
    rng = np.random.Generator(np.random.PCG64([corpus.WORLD_VERSION, corpus.HELD_OUT, 1]))
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
    return figures, picture_grid(images[:128], columns=16)


def picture_grid(images: Tensor, *, columns: int) -> Image.Image:
    """(n, 3, H, W) in [-1, 1], row by row, enlarged twice."""
    n, _, height, width = images.shape
    rows = n // columns
    tiles = images[: rows * columns].reshape(rows, columns, 3, height, width).permute(0, 3, 1, 4, 2)
    levels = ((tiles.reshape(rows * height, columns * width, 3) + 1) * 127.5).round().clamp(0, 255).byte()
    return Image.fromarray(levels.cpu().numpy()).resize(
        (columns * width * 2, rows * height * 2), Image.Resampling.BICUBIC
    )


def models_page(figures: dict[str, float]) -> str:
    lines = ["# The embedded models, measured", "", "On scenes never trained on, by `make mini-report`.", ""]
    lines += ["| figure | value | aim | |", "|---|---:|---:|---|"]
    for name, value in figures.items():
        aim = TARGETS.get(name)
        verdict = "" if aim is None else "reached" if value >= aim else "short"
        lines.append(f"| {name} | {value:.3f} | {'' if aim is None else f'{aim:.2f}'} | {verdict} |")
    lines += [
        "",
        f"Text-to-image: {SAMPLES} pictures, CFG {GUIDANCE_SCALE}, {STEPS} DDIM steps; noun and place",
        "named zero-shot by mini-CLIP among all it knows. VAE: the worst domain's mean PSNR, then each domain's.",
        "",
        *(f"![{name}]({name}.png)" for name in ("vae", "saliency", "text_to_image")),
    ]
    return "\n".join(lines) + "\n"


@torch.no_grad()
def main() -> None:
    console, folder = Console(), Path("results/reference/mini")
    stack = load_stack(StackConfig(name="mini", canvas=64, device="cpu"))
    scenes_folder = cache_folder() / "mini" / f"corpus-{corpus.WORLD_VERSION}"
    for _ in corpus.render(scenes_folder, start=corpus.HELD_OUT, count=SCENES, workers=2):
        pass
    scenes = corpus.load(scenes_folder, start=corpus.HELD_OUT, count=SCENES)
    images = as_images(torch.from_numpy(scenes.pictures))
    figures, grids = {}, {}
    vae, grids["vae"] = vae_figures(images, scenes, stack)
    saliency, grids["saliency"] = saliency_figures(stack)
    generated, grids["text_to_image"] = text_to_image_figures(stack, console)
    figures = vae | clip_figures(images, scenes, stack) | saliency | generated
    folder.mkdir(parents=True, exist_ok=True)
    for name, grid in grids.items():
        grid.save(folder / f"{name}.png")
    write_whole(folder / "models.json", (json.dumps(figures, indent=2) + "\n").encode())
    write_whole(folder / "models.md", models_page(figures).encode())
    console.print(models_page(figures), markup=False)


if __name__ == "__main__":
    main()
