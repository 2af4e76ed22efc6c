"""What an individual looks like beside its noun: a colour, a pattern and, for some, an accessory."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from spin_bench.mini.accessories import ACCESSORIES
from spin_bench.mini.cielab import tones
from spin_bench.mini.parts import parts
from spin_bench.mini.patterns import PATTERNS
from spin_bench.mini.raster import Grey, Integers, Rgb, blurred
from spin_bench.mini.sprites import pixels

Pairs = tuple[tuple[str, str], ...]  # (colour, pattern)

WORLDS = (1, 2)  # in the first an object keeps its noun's own look, in the second it wears one
SHIPPED_WORLD = 1  # in which the shipped models were trained
LAYOUTS = 6  # of a pattern
ACCESSORY_SHARE = 0.2


@dataclass(frozen=True)
class Colour:
    """A named colour in CIELAB, tenths, and how light the pattern on it is."""

    lightness: int
    a: int
    b: int
    accent: int


COLOURS: dict[str, Colour] = {
    "red": Colour(460, 636, 397, 880),
    "orange": Colour(680, 352, 662, 920),
    "yellow": Colour(870, -70, 797, 330),
    "green": Colour(520, -473, 369, 890),
    "blue": Colour(410, 90, -644, 880),
    "purple": Colour(410, 435, -483, 880),
    "pink": Colour(720, 443, -78, 330),
    "black": Colour(190, 0, 0, 740),
}


@dataclass(frozen=True)
class Look:
    """An identity that the noun does not tell."""

    colour: str
    pattern: str
    layout: int = 0  # of the pattern, in [0, LAYOUTS)
    accessory: str = ""


def looks(split: str) -> Pairs:
    """The (colour, pattern) pairs of a split: "novel" ones, one a colour, are never trained on; "train" the others."""
    patterns, pairs = list(PATTERNS), [(colour, pattern) for colour in COLOURS for pattern in PATTERNS]
    novel = {(colour, patterns[(2 * index + 1) % len(patterns)]) for index, colour in enumerate(COLOURS)}
    return tuple(pair for pair in pairs if (pair in novel) == (split == "novel"))


def trained_looks(world: int) -> Pairs:
    """What individuals wear in the training scenes of a world; nothing in the first."""
    return looks("train") if world > 1 else ()


def sample_look(rng: np.random.Generator, pairs: Pairs) -> Look:
    """One of `pairs` in any layout, for some with an accessory."""
    colour, pattern = pairs[int(rng.integers(len(pairs)))]
    layout, kind = int(rng.integers(LAYOUTS)), int(rng.integers(len(ACCESSORIES)))
    worn = rng.random() < ACCESSORY_SHARE
    return Look(colour, pattern, layout, list(ACCESSORIES)[kind] if worn else "")


@cache
def _tones(a: int, b: int) -> Rgb:
    return tones(a, b)


def _painted(shade: Integers, lightness: int, a: int, b: int) -> Rgb:
    """One hue under the sprite's own shading; (S, S, 3) uint8."""
    return _tones(a, b)[(shade + lightness).clip(60, 985)]


def dressed(noun: str, look: Look) -> tuple[Rgb, Grey]:
    """The noun's sprite in that look: (rgb, alpha), uint8."""
    sprite, own = pixels(noun), parts(noun)
    colour = COLOURS[look.colour]
    base = _painted(own.shade, colour.lightness, colour.a, colour.b).astype(np.int32)
    accent = _painted(own.shade * 6 // 10, colour.accent, colour.a // 5, colour.b // 5)
    cover = blurred(PATTERNS[look.pattern](len(sprite), look.layout), 1).astype(np.int32)[..., None]
    skin = (base * (255 - cover) + accent * cover + 127) // 255
    body = own.body.astype(np.int32)[..., None]
    rgb = (sprite[..., :3] * (255 - body) + skin * body + 127) // 255
    worn, alpha = rgb.astype(np.uint8), sprite[..., 3]
    return ACCESSORIES[look.accessory](worn, alpha) if look.accessory else (worn, alpha)
