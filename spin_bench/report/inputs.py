"""What a case gives to every method, as files beside what the methods made of it."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from spin_bench.case import Case

INPUTS = ("background", "mask", "reference")
REFERENCE_SIDE = 256  # px, or the canvas where that is larger: a photo of megapixels is not worth its bytes here


def write_inputs(folder: Path, cases: Sequence[Case]) -> None:
    """`<case>/background.png`, `mask.png` and `reference.png`; references shrink to `REFERENCE_SIDE`."""
    if folder.exists():
        shutil.rmtree(folder)  # of an earlier run, which may have had other cases
    for case in cases:
        reference = case.reference.copy()
        reference.thumbnail((max(REFERENCE_SIDE, *case.background.size),) * 2, Image.Resampling.LANCZOS)
        (folder / case.id).mkdir(parents=True)
        for name, picture in zip(INPUTS, (case.background, case.mask, reference), strict=True):
            picture.save(folder / case.id / f"{name}.png", compress_level=1)  # speed: they are many and soon replaced
