"""Contact sheets of the world of individuals, to be looked at: `python -m training.sheets <folder>`.

Is every noun still named, and are colours and patterns told apart at a glance, in every domain?
"""

import sys
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path

import numpy as np
from PIL import Image

from spin_bench.mini.accessories import ACCESSORIES
from spin_bench.mini.backgrounds import BACKGROUNDS
from spin_bench.mini.looks import COLOURS, LAYOUTS, Look
from spin_bench.mini.patterns import PATTERNS
from spin_bench.mini.raster import SIDE, Rgb
from spin_bench.mini.sprites import sprites
from spin_bench.mini.world import DOMAINS, Instance, Placement, Scene, paint

WIDE = 70  # percent of the frame
NOUNS_A_SHEET = 16


def _cell(noun: str, look: Look | None, domain: str, number: int) -> Rgb:
    """One individual in the middle of a place, which the number chooses; (64, 64, 3) uint8."""
    place = list(BACKGROUNDS)[number % len(BACKGROUNDS)]
    placement = Placement(Instance(noun, look=look), SIDE // 2, SIDE // 2, SIDE * WIDE // 100)
    return paint(Scene(place, number, domain, (placement,)))


def _sheet(rows: Sequence[Sequence[Rgb]]) -> Image.Image:
    return Image.fromarray(np.concatenate([np.concatenate(row, axis=1) for row in rows], axis=0))


def by_noun(nouns: Sequence[str]) -> Image.Image:
    """A row a noun: its own look, then every colour, patterns and accessories by turns."""
    worn = cycle(["", "", "", *ACCESSORIES])
    rows = []
    for row, noun in enumerate(nouns):
        looks = [
            Look(colour, list(PATTERNS)[(row + column) % len(PATTERNS)], row % LAYOUTS, next(worn))
            for column, colour in enumerate(COLOURS)
        ]
        rows.append([_cell(noun, look, "real", row + column) for column, look in enumerate([None, *looks])])
    return _sheet(rows)


def by_colour_and_pattern(noun: str) -> Image.Image:
    """Four blocks, a domain each: a row a pattern, a column a colour."""
    blocks = []
    for domain in DOMAINS:
        rows = [
            [_cell(noun, Look(colour, pattern), domain, 3 * x + y) for x, colour in enumerate(COLOURS)]
            for y, pattern in enumerate(PATTERNS)
        ]
        blocks.append(np.asarray(_sheet(rows)))
    return _sheet([blocks[:2], blocks[2:]])


def sheets() -> Iterator[tuple[str, Image.Image]]:
    """Name and picture of every sheet."""
    nouns = list(sprites())
    for start in range(0, len(nouns), NOUNS_A_SHEET):
        yield f"nouns-{start // NOUNS_A_SHEET}", by_noun(nouns[start : start + NOUNS_A_SHEET])
    for noun in ("cat", "teapot", "car", "tulip"):
        yield f"looks-{noun}", by_colour_and_pattern(noun)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in sheets():
        picture.save(folder / f"{name}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
