"""What is readable and yet hardly meant: pictures that look like masks, masks that look like pictures.

The bounds are ours. No genuine entry of TF-ICON that is known to us comes near one: its masks have less than a
thousandth of mid-greys and no colour, cover up to 56 % of their picture, and agree with their photo to 0.2 % in aspect.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spin_bench.core.pictures import THRESHOLD, binary

GREYS = (32, 223)  # levels between them are neither black nor white, even after JPEG
MANY_GREYS = 0.05  # of a mask's pixels
PHOTO_GREYS = 0.3  # of a picture's pixels: more than any soft edge has
COLOUR = 24  # levels between a pixel's channels
MANY_COLOURS = 0.05  # of a picture's pixels
LARGE = 0.6  # of the background's pixels
ASPECT = 0.03  # relative; masks are exported at other sizes, and sizes are whole numbers


def doubts(pictures: Mapping[str, Image.Image], names: Mapping[str, str]) -> Iterator[str]:
    """A line for each doubt about an entry's pictures as they were read, by role, masks in RGB; `names` say where."""
    masks = [role for role in ("mask", "reference_mask") if role in pictures]
    photos = [role for role in ("reference", "background") if role in pictures]
    for role in masks:
        yield from _mask_doubts(role, {other: pictures[other] for other in (role, *photos)}, names)
    if "mask" in pictures:
        share = _share(np.asarray(binary(pictures["mask"].convert("L"))) > 0)
        if share == 1:
            yield f"{names['mask']}: mask covers everything, no background is left to compare; shrink it"
        elif share > LARGE and "truth" not in pictures:  # a program made that case, nobody exported its mask
            yield f"{names['mask']}: mask covers {share:.0%} of the picture; invert it if black is to be painted"
    object_mask, reference = pictures.get("reference_mask"), pictures.get("reference")
    if object_mask is None:
        return
    if reference is not None and abs(_aspect(object_mask) / _aspect(reference) - 1) > ASPECT:
        sizes = " and ".join(f"{picture.width}x{picture.height}" for picture in (object_mask, reference))
        yield f"{names['reference_mask']}: object mask of another aspect than its photo, {sizes}; export it again"


def empty(mask: Image.Image) -> str:
    """Why an L mask has nothing to paint; "" where it has."""
    highest = int(mask.getextrema()[1])  # type: ignore[arg-type]
    if highest > THRESHOLD:
        return ""
    labels = ", as of a label image" if 0 < highest < GREYS[0] else ""
    return f"empty mask, no pixel over {THRESHOLD} (the highest level is {highest}{labels}); paint the region white"


def looks_like_photo(picture: Image.Image) -> bool:
    """Whether an RGB picture has colours, or greys, as no mask has."""
    return _colours(picture) > MANY_COLOURS or _mid_greys(picture) > PHOTO_GREYS


def looks_like_mask(picture: Image.Image) -> bool:
    """Whether an RGB picture is black and white and nothing else."""
    return _colours(picture) <= MANY_COLOURS and _mid_greys(picture) <= MANY_GREYS


def _mask_doubts(role: str, pictures: Mapping[str, Image.Image], names: Mapping[str, str]) -> Iterator[str]:
    mask, name = pictures[role], names[role]
    if looks_like_photo(mask):
        swapped = next((other for other in pictures if other != role and looks_like_mask(pictures[other])), None)
        if swapped:
            yield f"{name}: a photo, and {names[swapped]} looks like its mask; give each the other's name"
        else:
            yield f"{name}: mask looks like a photo; give the file that is white in the region and black elsewhere"
    elif (share := _mid_greys(mask)) > MANY_GREYS:
        yield f"{name}: {share:.0%} of the mask is mid-grey and counts from {THRESHOLD + 1} as white; make it hard"


def _colours(picture: Image.Image) -> float:
    pixels = np.asarray(picture)
    return _share(pixels.max(-1) - pixels.min(-1) > COLOUR)


def _mid_greys(picture: Image.Image) -> float:
    levels = np.asarray(picture.convert("L"))
    return _share((levels > GREYS[0]) & (levels < GREYS[1]))


def _share(pixels: NDArray[np.bool_]) -> float:
    return float(pixels.mean())


def _aspect(picture: Image.Image) -> float:
    return picture.width / picture.height
