"""Small folders in TF-ICON's layout, for the tests of its reader."""

from pathlib import Path

import numpy as np
from PIL import Image

from spin_bench.datasets.tficon import scan, validate

GENUINE = Path(__file__).parents[2].parent / "shared/data/tficon"
SIDE = 32
CAT = "Real-Real/0001 a photograph of a cat"
DOG = "Real-Sketch/0007 a pencil drawing of a dog"
BOX = (8, 8, 24, 20)  # the painted rectangle of every mask here


def picture(width=SIDE, height=SIDE, seed=0):
    """A smooth coloured ramp, so that JPEG and resizing leave it recognisable."""
    y, x = np.mgrid[:height, :width]
    return Image.fromarray(
        np.stack([x * 255 // width, y * 255 // height, 0 * x + 37 * seed % 256], -1).astype(np.uint8)
    )


def box_mask(width=SIDE, height=SIDE, level=255, box=BOX):
    mask = Image.new("L", (width, height))
    mask.paste(level, box)
    return mask


def add_entry(folder, seed=0):
    folder.mkdir(parents=True)
    picture(seed=seed).save(folder / "bg36.png")
    picture(40, 30, seed=seed + 5).save(folder / "fg88_63d9d508b82cf5cb1db01976.jpg")
    box_mask(40, 30).save(folder / "fg88_mask.png")
    box_mask().convert("RGB").save(folder / "mask_bg_fg.jpg")
    picture().save(folder / "cp_bg_fg.jpg")
    box_mask().save(folder / "dccf_image.jpg")


def check(root, *, decode=True, expected=None):
    """Ids of the usable entries and what is wrong, by names alone or with every picture read at SIDE px."""
    listing = scan(root, expected=expected)
    entries, problems = listing.entries, listing.problems
    if decode:
        entries, problems = validate(root, canvas=SIDE, cell=4, expected=expected)
    assert all("\n" not in line for line in problems)
    return [entry.id for entry in entries], problems


def only_entry(root):
    [entry] = [entry for entry in scan(root).entries if entry.id == "real-0001"]
    return entry
