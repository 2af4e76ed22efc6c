"""The pictures of one entry, read and judged by one rule, whether they are to be painted or only to be validated."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from spin_bench.core.errors import UserError
from spin_bench.core.pictures import fit, fit_mask, read_mask, read_picture, read_reference
from spin_bench.datasets.entry import PATTERNS, place
from spin_bench.datasets.plausible import doubts, empty


@dataclass(frozen=True, eq=False)
class Examined:
    """What was read of an entry's files."""

    pictures: dict[str, Image.Image]  # by role, at the canvas; complete where there are no problems
    problems: list[str]  # why the entry cannot be painted
    doubts: list[str]  # what leaves it usable


def examine(files: Mapping[str, Path], canvas: int) -> Examined:
    """Read `files` (by role) for a canvas of so many px: every problem and doubt at once, a line each.

    A background is square; mask and truth have its size; a mask has a white pixel left at the canvas.
    """
    names = {role: place(path, 3) for role, path in files.items()}
    pictures, problems, remarks = _read(files, names)
    remarks += doubts(pictures, names)
    for role in ("mask", "reference_mask"):
        if role in pictures:
            pictures[role] = pictures[role].convert("L")
    problems += _sizes(pictures, names)
    wanted = dict.fromkeys(("background", "mask", "truth"), (canvas, canvas))
    if "reference" in pictures:
        wanted["reference_mask"] = pictures["reference"].size  # often drawn at another resolution than the photo's
    for role in [role for role in pictures if role in wanted]:
        if role.endswith("mask"):
            reason = empty(pictures[role]) or _vanishes(pictures[role], wanted[role])
            problems += [f"{names[role]}: {reason}"] if reason else []
            pictures[role] = fit_mask(pictures[role], wanted[role])
        else:
            pictures[role] = fit(pictures[role], wanted[role])
    return Examined(pictures, problems, remarks)


def latent_cells(mask: Image.Image, cell: int) -> int:
    """How many latent cells of `cell` px a mask at the canvas paints, by nearest neighbour as the methods do it."""
    return int(np.count_nonzero(np.asarray(mask)[::cell, ::cell]))


def _read(files: Mapping[str, Path], names: dict[str, str]) -> tuple[dict[str, Image.Image], list[str], list[str]]:
    """The pictures in RGB, what could not be read, and where an object mask came from."""
    pictures: dict[str, Image.Image] = {}
    problems, remarks, opacity = [], [], None
    for role, path in files.items():
        try:
            if role == "reference":
                pictures[role], opacity = read_reference(path)
            else:
                pictures[role] = read_mask(path) if role.endswith("mask") else read_picture(path)
        except UserError as error:
            problems.append(str(error))
    if "reference" in pictures and "reference_mask" not in files:
        if opacity is not None:
            pictures["reference_mask"] = opacity.convert("RGB")
            names["reference_mask"] = names["reference"]
            remarks.append(f"{names['reference']}: no object mask beside it: its alpha channel is taken for one")
        else:
            missing = f"missing reference mask ({PATTERNS['reference_mask']}.png, .jpg or .webp)"
            where = place(files["reference"].parent)
            remarks.append(f"{where}: {missing}; scores of the segmented object will be missing")
    return pictures, problems, remarks


def _vanishes(mask: Image.Image, size: tuple[int, int]) -> str:
    """Why nothing of an L mask is left at `size`; "" where something is."""
    if fit_mask(mask, size).getbbox() is not None:
        return ""
    return f"empty mask, no white pixel is left at {size[0]}x{size[1]}; widen the region"


def _sizes(pictures: Mapping[str, Image.Image], names: Mapping[str, str]) -> list[str]:
    """A line for a background that is not square, and for what does not lie on its background."""
    if "background" not in pictures:
        return []
    width, height = pictures["background"].size
    if width != height:
        return [f"{names['background']}: wrong size {width}x{height}, not square; crop it and its mask alike"]
    return [
        f"{names[role]}: wrong size {pictures[role].width}x{pictures[role].height}, expected {width}x{height}, "
        "its background's; fetch or export it again"
        for role in ("mask", "truth")
        if role in pictures and pictures[role].size != (width, height)
    ]
