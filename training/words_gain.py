"""How much the denoising model hears of an individual's words: the first thing to watch while it trains.

On individuals never trained on, the denoising loss over the object's latent cells under the words that are true of it,
against that under its noun alone. Without a gain no embedding can learn an individual from that loss either.
"""

from dataclasses import dataclass

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from spin_bench.mini.backgrounds import PLACES
from spin_bench.mini.captions import BENCHMARK, in_words
from spin_bench.mini.looks import Look
from spin_bench.mini.world import Instance
from training.corpus import Corpus
from training.individuals_loss import object_cells
from training.train_unet import tokenise
from training.train_vae import as_images

TIMESTEPS = (150, 300, 450, 600, 750, 900)
NOISY = 600  # from here on little of the picture is left, and the looks are decided


@dataclass(frozen=True, eq=False)
class Painter:
    """The parts of a text-to-image model that its loss takes."""

    unet: UNet2DConditionModel
    text_encoder: CLIPTextModel
    vae: AutoencoderKL
    scheduler: DDIMScheduler
    tokenizer: CLIPTokenizer


def prompts(scenes: Corpus, *, colour: bool, pattern: bool) -> list[str]:
    """The benchmark's wording for every scene, each with a subject and a look, that says so much of its look."""
    out = []
    for noun, look, place, domain in zip(
        scenes.nouns, zip(scenes.colours, scenes.patterns, strict=True), scenes.places, scenes.domains, strict=True
    ):
        words = in_words(Instance(noun, look=Look(*look)), colour=colour, pattern=pattern)
        out.append(BENCHMARK[domain].format(f"{words} {PLACES[place]}"))
    return out


@torch.no_grad()
def object_losses(painter: Painter, scenes: Corpus, texts: list[str], *, batch: int = 32) -> Tensor:
    """Squared error of the predicted noise over each subject's latent cells, (N, TIMESTEPS); the noise is fixed."""
    ids, losses = tokenise(painter.tokenizer, texts), []
    for start in range(0, len(texts), batch):
        rows = slice(start, start + batch)
        images = as_images(torch.from_numpy(scenes.pictures[rows]))
        clean = painter.vae.encode(images).latent_dist.mean * painter.vae.config.scaling_factor
        cells = object_cells(torch.from_numpy(scenes.masks[rows]), clean.shape[-1])
        states = painter.text_encoder(ids[rows]).last_hidden_state
        columns = []
        for t in TIMESTEPS:
            noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(start * 1000 + t))
            steps = torch.full((len(clean),), t)
            noisy = painter.scheduler.add_noise(clean, noise, steps)
            error = (painter.unet(noisy, steps, encoder_hidden_states=states).sample - noise).pow(2)
            columns.append((error.mean(1, keepdim=True) * cells).sum((1, 2, 3)) / cells.sum((1, 2, 3)))
        losses.append(torch.stack(columns, 1))
    return torch.cat(losses)


def words_gain_figures(painter: Painter, scenes: Corpus) -> dict[str, float]:
    """Share by which the true words lower the loss that the noun alone leaves, at all steps and at the noisy ones."""
    noun = object_losses(painter, scenes, prompts(scenes, colour=False, pattern=False))
    noisy = torch.tensor([t >= NOISY for t in TIMESTEPS])
    figures = {}
    for name, colour, pattern in (("words", True, True), ("colour_word", True, False), ("pattern_word", False, True)):
        told = object_losses(painter, scenes, prompts(scenes, colour=colour, pattern=pattern))
        figures[f"{name}_gain"] = float(1 - told.sum() / noun.sum())
        figures[f"{name}_gain_noisy"] = float(1 - told[:, noisy].sum() / noun[:, noisy].sum())
    return figures
