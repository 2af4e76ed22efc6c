"""What a case gives to every method, as files beside what the methods made of it."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from PIL import Image

from spin_bench.core.case import Case
from spin_bench.core.files import write_whole

INPUTS = ("background", "mask", "reference")
REFERENCE_SIDE = 256  # px, or the canvas where that is larger: a photo of megapixels is not worth its bytes here


def write_inputs(folder: Path, cases: Sequence[Case]) -> None:
    """Make `folder` hold `<case>/background.png`, `mask.png` and `reference.png` of `cases` and no others.

    References shrink to `REFERENCE_SIDE`. Two processes may do so at once.
    """
    wanted = set()
    for case in cases:
        reference = case.reference.copy()
        reference.thumbnail((max(REFERENCE_SIDE, *case.background.size),) * 2, Image.Resampling.LANCZOS)
        for name, picture in zip(INPUTS, (case.background, case.mask, reference), strict=True):
            path = folder / case.id / f"{name}.png"
            content = _png(picture)
            if not path.exists() or path.read_bytes() != content:
                write_whole(path, content)
            wanted.add(path)
    for path in folder.glob("*/*.png"):  # of an earlier run, which may have had other cases
        if path not in wanted:
            path.unlink(missing_ok=True)


def _png(picture: Image.Image) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, format="PNG", compress_level=1)  # for speed: they are many
    return buffer.getvalue()
