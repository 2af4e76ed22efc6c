"""Figures of the text-to-image model that is told a look: does it paint that colour and that pattern?

Colour and pattern are read off the object's mask without a network, where the saliency network finds it; mini-CLIP is
asked for the pattern, too.
"""

import numpy as np
import torch
from rich.console import Console
from torch import Tensor

from spin_bench.core.progress import watched
from spin_bench.mini.backgrounds import PLACES
from spin_bench.mini.captions import BENCHMARK, in_words
from spin_bench.mini.looks import Look, looks
from spin_bench.mini.sprites import nouns
from spin_bench.mini.world import DOMAINS, Scene, sample_scene
from spin_bench.models.stack import Stack
from training import corpus
from training.corpus import Corpus
from training.look_figures import LEAST_PX, clip_looks, share
from training.look_judges import PatternJudge, named_colour
from training.model_figures import text_to_image
from training.zero_shot import recognised

SAMPLES, BATCH = 256, 16
WORLD = 2


def told_scenes(count: int = SAMPLES) -> list[Scene]:
    """Scenes to be told to the model: trained nouns, in looks of which a fifth are novel."""
    rng = np.random.Generator(np.random.PCG64([WORLD, corpus.HELD_OUT, 2]))
    pairs = looks("train") + looks("novel")
    domains = [str(domain) for domain in rng.choice(DOMAINS, count, p=corpus.DOMAIN_SHARES)]
    return [sample_scene(rng, nouns("train"), domain, looks=pairs) for domain in domains]


def told_prompt(scene: Scene) -> str:
    """The benchmark's wording with the whole look."""
    words = in_words(scene.objects[-1].instance, colour=True, pattern=True)
    return BENCHMARK[scene.domain].format(f"{words} {PLACES[scene.place]}")


def text_to_image_look_figures(
    stack: Stack, pattern_judge: PatternJudge, console: Console, *, samples: int = SAMPLES
) -> tuple[dict[str, float], Tensor]:
    """Colour in the mask that the saliency network finds; pattern there by its spectrum, and by mini-CLIP."""
    scenes = told_scenes(samples)
    prompts, starts = [told_prompt(scene) for scene in scenes], range(0, samples, BATCH)
    made = [
        text_to_image(stack, prompts[i : i + BATCH], range(i, min(i + BATCH, samples)))
        for i in watched(starts, total=len(starts), label="told looks", console=console)
    ]
    images = torch.cat(made)
    assert stack.saliency is not None
    masks = torch.cat([stack.saliency(chunk)[:, 0] > 0 for chunk in images.split(BATCH)])
    masks[masks.flatten(1).sum(1) < LEAST_PX] = True  # nothing found: the whole picture is judged
    pictures = ((images.permute(0, 2, 3, 1) + 1) * 127.5).round().clamp(0, 255).byte().numpy()
    subjects = [scene.objects[-1].instance for scene in scenes]
    worn = [subject.look or Look("", "") for subject in subjects]
    facts = Corpus(
        pictures=pictures,
        masks=masks.numpy(),
        captions=prompts,
        nouns=[subject.noun for subject in subjects],
        places=[scene.place for scene in scenes],
        domains=[scene.domain for scene in scenes],
        colours=[look.colour for look in worn],
        patterns=[look.pattern for look in worn],
    )
    return _told_figures(images, facts, stack, pattern_judge), images[:128]


def _told_figures(images: Tensor, facts: Corpus, stack: Stack, pattern_judge: PatternJudge) -> dict[str, float]:
    everywhere, coloured = [True] * len(images), [domain != "sketch" for domain in facts.domains]
    colours = [named_colour(*pair) for pair in zip(facts.pictures, facts.masks, strict=True)]
    patterns = [pattern_judge.named(*pair) for pair in zip(facts.pictures, facts.masks, strict=True)]
    _, by_clip = clip_looks(images, torch.from_numpy(facts.masks), facts, stack)
    named, placed = recognised(images, facts.nouns, facts.places, facts.domains, stack)
    unseen = [pair in looks("novel") for pair in zip(facts.colours, facts.patterns, strict=True)]
    return {
        "t2i_told_object": float(named.float().mean()),
        "t2i_told_background": float(placed.float().mean()),
        "t2i_colour": share(colours, facts.colours, coloured),
        "t2i_colour_novel_look": share(
            colours, facts.colours, [a and b for a, b in zip(coloured, unseen, strict=True)]
        ),
        "t2i_pattern": share(patterns, facts.patterns, everywhere),
        "t2i_pattern_novel_look": share(patterns, facts.patterns, unseen),
        "t2i_pattern_by_clip": share(by_clip, facts.patterns, everywhere),
    }
