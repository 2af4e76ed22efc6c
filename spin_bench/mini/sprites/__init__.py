"""The objects of the embedded world: 64 sprites of Microsoft's Fluent Emoji 3D set (MIT, see LICENSE beside this)."""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spin_bench.mini.raster import Grey, Rgb

SPRITES_DIR = Path(__file__).parent


@dataclass(frozen=True)
class Sprite:
    """One object: `split` is "train", or "novel" where no model has ever seen it."""

    noun: str
    code: str
    split: str

    @property
    def with_article(self) -> str:
        return f"{'an' if self.noun[0] in 'aeiou' else 'a'} {self.noun}"


@cache
def sprites() -> dict[str, Sprite]:
    """All sprites by noun, in the table's order."""
    with (SPRITES_DIR / "sprites.csv").open() as table:
        return {row["noun"]: Sprite(**row) for row in csv.DictReader(table)}


def nouns(split: str) -> tuple[str, ...]:
    return tuple(noun for noun, sprite in sprites().items() if sprite.split == split)


@cache
def pixels(noun: str) -> NDArray[np.uint8]:
    """(side, side, 4) uint8, straight alpha; the object touches the border of its square."""
    picture = np.asarray(Image.open(SPRITES_DIR / f"{noun.replace(' ', '_')}.webp").convert("RGBA"))
    picture.setflags(write=False)
    return picture


def bare(noun: str) -> tuple[Rgb, Grey]:
    """The noun's own (rgb, alpha), (side, side[, 3]) uint8."""
    return pixels(noun)[..., :3], pixels(noun)[..., 3]
