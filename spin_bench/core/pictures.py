"""Pictures from disk in the form that `Case` promises, whatever they were encoded as."""

import json
import struct
from hashlib import sha256
from pathlib import Path

from PIL import Image

from spin_bench.core.case import Case
from spin_bench.core.errors import UserError

THRESHOLD = 127  # masks are JPEG: 0 and 255 come back as dozens of grey levels
PICTURES = ("background", "mask", "reference", "reference_mask", "truth")


def read_picture(path: Path, mode: str) -> Image.Image:
    """Decode all of `path` and convert it to `mode`; UserError names a file that is missing, corrupt or truncated."""
    try:
        with Image.open(path) as image:
            return image.convert(mode)
    except (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError) as error:
        reason = getattr(error, "strerror", None) or "corrupt, truncated or not a picture"
        raise UserError(f"{path}: unreadable ({reason}); fetch or export it again") from error


def read_mask(path: Path, size: tuple[int, int]) -> Image.Image:
    """The mask at `size` (width, height), L in {0, 255}; UserError where no white pixel remains."""
    mask = binary(read_picture(path, "L"))
    if mask.size != size:
        mask = mask.resize(size, Image.Resampling.NEAREST)
    if mask.getbbox() is None:
        raise UserError(f"{path}: empty mask, no pixel over {THRESHOLD} at {size[0]}x{size[1]}; paint the region white")
    return mask


def binary(mask: Image.Image) -> Image.Image:
    """An L mask as L in {0, 255}."""
    return mask.point([255 * (level > THRESHOLD) for level in range(256)])


def fit(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """`picture` at `size` (width, height), by LANCZOS as TF-ICON does."""
    return picture if picture.size == size else picture.resize(size, Image.Resampling.LANCZOS)


def digest(case: Case) -> str:
    """SHA-256 (hex) of all that a method or metric sees of `case`: its words and decoded pixels, not its files."""
    pictures = {name: getattr(case, name) for name in PICTURES}
    header = {
        **{name: getattr(case, name) for name in ("id", "domain", "prompt", "subject", "novel")},
        # the sizes say where each picture's bytes end, so that no two cases share an encoding
        "pictures": {name: picture and [picture.mode, *picture.size] for name, picture in pictures.items()},
    }
    state = sha256(json.dumps(header, sort_keys=True).encode())
    for picture in pictures.values():
        if picture is not None:
            state.update(picture.tobytes())
    return state.hexdigest()
