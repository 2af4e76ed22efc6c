"""Judges of looks that are no networks, on objects of known looks; and the figures made of them."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

from spin_bench.mini.looks import COLOURS, Look, dressed, looks
from spin_bench.mini.patterns import PATTERNS
from spin_bench.models.stack import Stack
from training.corpus import Corpus
from training.look_figures import clip_look_figures, judge_figures, pattern_judge_of
from training.look_judges import colour_votes, named_colour, spectrum
from training.told_figures import text_to_image_look_figures, told_prompt, told_scenes

NOUNS = ("cat", "hat", "apple", "elephant", "gift", "whale")


def _scenes(layouts: tuple[int, ...]) -> Corpus:
    """Every look of some nouns on grey, 64 px, with its true mask."""
    pictures, masks, nouns, colours, patterns = [], [], [], [], []
    for noun in NOUNS:
        for colour in COLOURS:
            for pattern in PATTERNS:
                for layout in layouts:
                    rgb, alpha = (Image.fromarray(x) for x in dressed(noun, Look(colour, pattern, layout)))
                    canvas = Image.new("RGB", rgb.size, (128, 128, 128))
                    canvas.paste(rgb, (0, 0), alpha)
                    pictures.append(np.asarray(canvas.resize((48, 48), Image.Resampling.BOX)))
                    masks.append(np.asarray(alpha.resize((48, 48), Image.Resampling.BOX)) > 127)
                    nouns, colours, patterns = [*nouns, noun], [*colours, colour], [*patterns, pattern]
    pad = ((0, 0), (8, 8), (8, 8))
    n = len(nouns)
    return Corpus(
        pictures=np.pad(np.stack(pictures), (*pad, (0, 0)), constant_values=128),
        masks=np.pad(np.stack(masks), pad),
        captions=["a picture"] * n,
        nouns=nouns,
        places=["grass"] * n,
        domains=["real"] * n,
        colours=colours,
        patterns=patterns,
    )


@pytest.fixture(scope="module")
def scenes() -> Corpus:
    return _scenes((0, 1))


def test_the_judges_are_right_on_looks_in_layouts_they_were_not_fitted_to(scenes: Corpus):
    found = judge_figures(_scenes((4,)), pattern_judge_of(scenes))
    assert found["judge_colour"] > 0.93
    assert found["judge_pattern"] > 0.85


def test_a_vote_is_for_the_named_colour_and_accents_name_none():
    full = np.ones((8, 8), bool)
    blue = np.full((8, 8, 3), (10, 95, 190), np.uint8)
    blue[:, :3] = 225  # pale stripes
    assert named_colour(blue, full) == "blue"
    yellow = np.full((8, 8, 3), (245, 215, 0), np.uint8)
    yellow[:, :5] = 45  # dark ones, more of them than of the colour
    assert named_colour(yellow, full) == "yellow"
    assert named_colour(np.full((8, 8, 3), 40, np.uint8), full) == "black"
    assert colour_votes(blue, full).sum() == pytest.approx(1)
    blue[0, 0] = (255, 0, 0)
    corner = np.zeros((8, 8), bool)
    corner[0, 0] = True
    assert named_colour(blue, corner) == "red"


def test_the_spectrum_tells_directions_and_contrast_and_not_the_surroundings():
    y, x = np.mgrid[0:64, 0:64]
    mask = (y - 32) ** 2 + (x - 32) ** 2 < 26**2

    def drawn(where: np.ndarray, around: int = 0) -> np.ndarray:
        level = np.where(mask, np.where(where, 220, 60), around).astype(np.uint8)
        return spectrum(np.repeat(level[..., None], 3, axis=2), mask)

    one, turned, plain = drawn((x + y) % 12 < 6), drawn((x - y) % 12 < 6), drawn(x < 0)
    assert np.abs(one[:-1] - turned[:-1]).max() > 2
    assert one[-1] > plain[-1] + 2
    np.testing.assert_allclose(one, drawn((x + y) % 12 < 6, around=250))


def test_told_scenes_are_named_in_full_and_some_looks_are_novel():
    scenes = told_scenes(80)
    assert scenes == told_scenes(80)
    for scene in scenes:
        instance = scene.objects[-1].instance
        assert {instance.look.colour, instance.look.pattern, *instance.noun.split()} <= {*told_prompt(scene).split()}
    worn = [scene.objects[-1].instance.look for scene in scenes]
    share = np.mean([(look.colour, look.pattern) in looks("novel") for look in worn])
    assert 0.08 < share < 0.35


class _ReadsCaptions:
    """A CLIP that sees the red channel's mean and thinks "red" where it is high; every text else is alike."""

    def encode_image(self, images: torch.Tensor) -> torch.Tensor:
        red = (images[:, 0].mean((1, 2)) > images[:, 2].mean((1, 2)) + 0.15).float()
        return torch.stack([red, 1 - red, torch.zeros_like(red)], 1)

    def encode_text(self, texts: list[str]) -> torch.Tensor:
        rows = [("red" in text.split(), "blue" in text.split(), 0) for text in texts]
        return torch.tensor(rows, dtype=torch.float32)


def test_clip_is_asked_for_the_colour_of_the_crop(scenes: Corpus):
    worn = list(zip(scenes.colours, scenes.patterns, strict=True))
    rows = [index for index, look in enumerate(worn) if look in (("red", "plain"), ("blue", "plain"))]
    lists = {name: [column[i] for i in rows] for name, column in vars(scenes).items() if isinstance(column, list)}
    some = replace(scenes, pictures=scenes.pictures[rows], masks=scenes.masks[rows], **lists)
    found = clip_look_figures(some, SimpleNamespace(clip=_ReadsCaptions()))
    assert found["clip_colour_top1"] == 1
    sketches = replace(some, domains=["sketch"] * len(rows))
    assert np.isnan(clip_look_figures(sketches, SimpleNamespace(clip=_ReadsCaptions()))["clip_colour_top1"])


def test_told_figures_are_shares_and_come_with_pictures(stack: Stack, scenes: Corpus, monkeypatch):
    monkeypatch.setattr("training.model_figures.STEPS", 2)
    figures, pictures = text_to_image_look_figures(stack, pattern_judge_of(scenes), Console(quiet=True), samples=16)
    assert pictures.shape == (16, 3, 64, 64)
    assert {"t2i_colour", "t2i_pattern", "t2i_pattern_by_clip"} <= set(figures)
    assert all(np.isnan(value) or 0 <= value <= 1 for value in figures.values())
