"""Pictures from outside, as a viewer shows them or not at all; every one passes through `open_picture`."""

import json
import warnings
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from spin_bench.core.case import Case
from spin_bench.core.errors import UserError
from spin_bench.core.identity import sha256_of
from spin_bench.core.names import printable

THRESHOLD = 127  # masks are JPEG: 0 and 255 come back as dozens of grey levels
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
PICTURES = ("background", "mask", "reference", "reference_mask", "truth")

# By content: in TF-ICON's release a JPEG is called .png. The last three get here only under another's name.
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
_WIDE = 1 / 257  # white of 16 bits over white of 8


def open_picture(path: Path) -> tuple[Image.Image, Image.Image | None]:
    """Read what a viewer shows of a file: upright RGB in sRGB, and its opacity (L; None where all of it is opaque).

    Hidden colours of transparent pixels are kept: what they mean is the caller's to say. `UserError` names a file that
    is missing, unreadable or truncated, animated, too large to be opened safely, or has no defined white or colours.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=_FORMATS) as image:
                return _as_shown(image)
    except UserError as error:
        raise UserError(f"{printable(str(path))}: {error}") from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        limit = f"over {(Image.MAX_IMAGE_PIXELS or 0) / 1e6:.0f} megapixels"
        raise UserError(f"{printable(str(path))}: {limit}, too many to be opened safely; scale it down") from error
    except Exception as error:  # Pillow's parsers raise whatever damaged bytes lead them to
        reason = _unreadable(path, error)
        raise UserError(f"{printable(str(path))}: unreadable ({reason}); fetch or export it again") from error


def read_picture(path: Path) -> Image.Image:
    """The picture in RGB; refused where any of it is transparent."""
    picture, opacity = open_picture(path)
    if opacity is not None:
        raise UserError(f"{printable(str(path))}: parts are transparent; save it on the ground that is meant")
    return picture


def read_mask(path: Path) -> Image.Image:
    """The mask in RGB: its colours tell a photo that was taken for one. Refused where any of it is transparent, since
    the hole and the rest could both be meant.
    """
    picture, opacity = open_picture(path)
    if opacity is not None:
        mend = "save it without transparency, white where the region is, black elsewhere"
        raise UserError(f"{printable(str(path))}: mask with an alpha channel, which does not say what is meant; {mend}")
    return picture


def read_reference(path: Path) -> tuple[Image.Image, Image.Image | None]:
    """The reference in RGB, on white where it is transparent, and its opacity, which tells the object (or None)."""
    picture, opacity = open_picture(path)
    if opacity is not None:
        picture = Image.composite(picture, Image.new("RGB", picture.size, "white"), opacity)
    return picture, opacity


def binary(mask: Image.Image) -> Image.Image:
    """An L mask as L in {0, 255}."""
    return mask.point([255 * (level > THRESHOLD) for level in range(256)])


def fit_mask(mask: Image.Image, size: tuple[int, int]) -> Image.Image:
    """An L mask as L in {0, 255} at `size` (width, height), by nearest neighbour."""
    mask = binary(mask)
    return mask if mask.size == size else mask.resize(size, Image.Resampling.NEAREST)


def fit(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """`picture` at `size` (width, height), by LANCZOS as TF-ICON does."""
    return picture if picture.size == size else picture.resize(size, Image.Resampling.LANCZOS)


def digest(case: Case) -> str:
    """SHA-256 (hex) of all that a method or metric sees of `case`: its words and decoded pixels, not its files."""
    pictures = {name: getattr(case, name) for name in PICTURES}
    header = {
        **{name: getattr(case, name) for name in ("id", "domain", "prompt", "subject", "novel")},
        # what came later leaves no trace where a benchmark does not say it
        **{name: getattr(case, name) for name in ("colour", "pattern") if getattr(case, name)},
        # the sizes say where each picture's bytes end, so that no two cases share an encoding
        "pictures": {name: picture and [picture.mode, *picture.size] for name, picture in pictures.items()},
    }
    pixels = (picture.tobytes() for picture in pictures.values() if picture is not None)
    return sha256_of(json.dumps(header, sort_keys=True).encode(), *pixels)


def _as_shown(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":  # which is a phone's JPEG with a preview behind
        raise UserError("several frames or pages; save the one that is meant as a picture of its own")
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I;16"):
        upright = upright.convert("I").point(lambda level: level * _WIDE + 0.5).convert("L")
    elif upright.mode in ("I", "F"):
        raise UserError(f"levels of mode {upright.mode} have no fixed white; save it with 8 or 16 bits a channel")
    if not upright.has_transparency_data:
        return _in_srgb(upright), None
    upright = upright.convert("RGBA")
    opacity = upright.getchannel("A")
    return _in_srgb(upright.convert("RGB")), None if opacity.getextrema() == (255, 255) else opacity


def _in_srgb(picture: Image.Image) -> Image.Image:
    """`picture` in RGB, by the colour profile that it carries."""
    profile = picture.info.get("icc_profile")
    if picture.mode not in ("RGB", "CMYK") or (picture.mode == "RGB" and not profile):
        return picture.convert("RGB")
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile or b""))
        if picture.mode == "RGB" and "srgb" in ImageCms.getProfileDescription(source).lower():
            return picture
        intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
        converted = ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB"), intent, "RGB")
    except (OSError, ImageCms.PyCMSError) as error:
        if picture.mode == "RGB":  # which viewers then take for sRGB
            return picture
        raise UserError("CMYK without a readable colour profile; save it as RGB") from error
    return converted or picture


def _unreadable(path: Path, error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if path.stat().st_size == 0:
        return "an empty file"
    if isinstance(error, UnidentifiedImageError):
        return "no PNG, JPEG or WebP inside, or damaged"
    return "truncated or corrupt"
