"""Figures of looks on true scenes: does mini-CLIP name them, and how often is a judge without a network right?

Colours of pencil drawings are not asked for: there they are tones.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from spin_bench.mini.captions import in_words
from spin_bench.mini.looks import COLOURS, Look
from spin_bench.mini.patterns import PATTERNS
from spin_bench.mini.world import Instance
from spin_bench.models.stack import Stack
from training.corpus import Corpus, individuals, subset
from training.look_judges import PatternJudge, fitted_pattern_judge, named_colour
from training.train_clip import short_template
from training.train_vae import as_images
from training.zero_shot import crops

LEAST_PX = 60  # of an object whose look is asked for


def _named(features: Tensor, texts: Sequence[Sequence[str]], stack: Stack) -> list[int]:
    """For each row of features (n, width) the index of the likeliest of its own texts."""
    known = list(dict.fromkeys(text for row in texts for text in row))
    encoded = stack.clip.encode_text(known)
    place = {text: index for index, text in enumerate(known)}
    return [
        int((encoded[[place[text] for text in row]] @ feature).argmax())
        for feature, row in zip(features, texts, strict=True)
    ]


def clip_looks(images: Tensor, masks: Tensor, scenes: Corpus, stack: Stack) -> tuple[list[str], list[str]]:
    """Colours and patterns that mini-CLIP names of the objects in (N, 3, H, W) pictures, told noun and domain."""
    features = stack.clip.encode_image(crops(images, masks))
    facts = list(zip(scenes.domains, scenes.nouns, strict=True))
    colours = [
        [short_template(d).format(in_words(Instance(n, look=Look(c, "plain")), colour=True)) for c in COLOURS]
        for d, n in facts
    ]
    patterns = [
        [short_template(d).format(in_words(Instance(n, look=Look("red", p)), pattern=True)) for p in PATTERNS]
        for d, n in facts
    ]
    return (
        [list(COLOURS)[i] for i in _named(features, colours, stack)],
        [list(PATTERNS)[i] for i in _named(features, patterns, stack)],
    )


def share(named: Sequence[str], true: Sequence[str], rows: Sequence[bool]) -> float:
    """Of the asked rows, how many were named right; NaN of none."""
    hits = [a == b for a, b, asked in zip(named, true, rows, strict=True) if asked]
    return float(np.mean(hits)) if hits else float("nan")


def large_enough(scenes: Corpus) -> Corpus:
    """The individuals of which enough is in the frame to see a pattern."""
    kept = individuals(scenes)
    return subset(kept, [i for i in range(len(kept.captions)) if kept.masks[i].sum() >= LEAST_PX])


def clip_look_figures(scenes: Corpus, stack: Stack) -> dict[str, float]:
    """Top-1 of colour and pattern on the subject's crop, of true scenes."""
    kept = large_enough(scenes)
    images = as_images(torch.from_numpy(kept.pictures))
    colours, patterns = clip_looks(images, torch.from_numpy(kept.masks), kept, stack)
    return {
        "clip_colour_top1": share(colours, kept.colours, [domain != "sketch" for domain in kept.domains]),
        "clip_pattern_top1": share(patterns, kept.patterns, [True] * len(patterns)),
    }


def judge_figures(scenes: Corpus, pattern_judge: PatternJudge) -> dict[str, float]:
    """How often the judges without a network are right on true scenes: no figure below can be read without it."""
    kept = large_enough(scenes)
    colours = [named_colour(*pair) for pair in zip(kept.pictures, kept.masks, strict=True)]
    patterns = [pattern_judge.named(*pair) for pair in zip(kept.pictures, kept.masks, strict=True)]
    return {
        "judge_colour": share(colours, kept.colours, [domain != "sketch" for domain in kept.domains]),
        "judge_pattern": share(patterns, kept.patterns, [True] * len(patterns)),
    }


def pattern_judge_of(scenes: Corpus) -> PatternJudge:
    """Fitted to training scenes."""
    kept = large_enough(scenes)
    return fitted_pattern_judge(list(kept.pictures), list(kept.masks), kept.patterns)
