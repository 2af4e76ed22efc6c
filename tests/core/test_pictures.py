"""Every kind of picture file that people have: read as a viewer shows it, or refused in one line that names it."""

import re
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from spin_bench.core.errors import UserError
from spin_bench.core.names import fit_for_text, printable
from spin_bench.core.pictures import fit_mask, open_picture, read_mask, read_picture, read_reference

WIDE, HIGH = 24, 16


def ramp() -> Image.Image:
    """No two corners alike, so that every turn and flip shows."""
    y, x = np.mgrid[:HIGH, :WIDE]
    return Image.fromarray(np.stack([x * 255 // (WIDE - 1), y * 255 // (HIGH - 1), 0 * x + 90], -1).astype(np.uint8))


def grey() -> np.ndarray:
    return np.tile(np.linspace(0, 65535, WIDE).round().astype(np.uint16), (HIGH, 1))


def half_transparent() -> Image.Image:
    """Opaque on the left, hidden magenta on the right."""
    picture = ramp().convert("RGBA")
    picture.paste((255, 0, 255, 0), (WIDE // 2, 0, WIDE, HIGH))
    return picture


def refused(path: Path, read=read_picture) -> str:
    with pytest.raises(UserError) as caught:
        read(path)
    line = str(caught.value)
    assert line.startswith(f"{path}: ") and "\n" not in line
    return line.removeprefix(f"{path}: ")


@pytest.mark.parametrize("suffix", [".png", ".webp", ".bmp", ".tiff"])
@pytest.mark.parametrize("called", [".png", ".jpg"])
def test_a_lossless_picture_is_read_bit_by_bit_whatever_it_is_called(tmp_path, suffix, called):
    ramp().save(tmp_path / f"a{suffix}", lossless=True)
    (tmp_path / f"a{suffix}").rename(tmp_path / f"b{called}")
    picture = read_picture(tmp_path / f"b{called}")
    assert (picture.mode, picture.tobytes()) == ("RGB", ramp().tobytes())


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_orientation_is_applied(tmp_path, orientation, suffix):
    turns = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_270"}
    turns |= {7: "TRANSVERSE", 8: "ROTATE_90"}  # how a viewer turns what is stored
    exif = Image.Exif()
    exif[0x0112] = orientation
    ramp().save(tmp_path / f"a{suffix}", exif=exif, lossless=True, quality=100)
    turn = turns.get(orientation)
    shown = ramp().transpose(Image.Transpose[turn]) if turn else ramp()
    picture = read_picture(tmp_path / f"a{suffix}")
    assert picture.size == shown.size
    difference = np.abs(np.asarray(picture).astype(int) - np.asarray(shown))
    assert difference.max() <= (20 if suffix == ".jpg" else 0)  # JPEG halves the resolution of colours


def test_16_bit_grey_is_scaled_and_never_clipped(tmp_path):
    Image.fromarray(grey()).save(tmp_path / "a.png")
    Image.fromarray(grey()).save(tmp_path / "b.tiff")
    (tmp_path / "b.tiff").rename(tmp_path / "b.png")
    for name in ("a.png", "b.png"):
        assert np.array_equal(np.asarray(read_picture(tmp_path / name))[..., 0], (grey() / 257).round())
    assert np.array_equal(
        np.asarray(fit_mask(read_mask(tmp_path / "a.png").convert("L"), (WIDE, HIGH))) > 0, grey() > 127.5 * 257
    )


def test_16_bit_colour_is_scaled(tmp_path):
    levels = np.stack([grey(), grey()[:, ::-1], grey() * 0], -1)
    cv2.imwrite(str(tmp_path / "a.png"), levels[..., ::-1])
    assert np.abs(np.asarray(read_picture(tmp_path / "a.png")) - levels / 257.0).max() <= 1


@pytest.mark.parametrize("mode", ["F", "I"])
def test_levels_without_a_fixed_white_are_refused(tmp_path, mode):
    Image.new(mode, (4, 4), 1).save(tmp_path / "a.png", "TIFF")
    assert refused(tmp_path / "a.png").startswith(f"levels of mode {mode} have no fixed white; save it")


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA"])
def test_every_opaque_mode_is_read_as_its_colours(tmp_path, mode):
    source = ramp().convert("L").convert(mode) if mode in ("1", "LA") else ramp().convert(mode)
    source.save(tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png").tobytes() == source.convert("RGB").tobytes()
    assert read_mask(tmp_path / "a.png").convert("L").tobytes() == source.convert("L").tobytes()
    assert open_picture(tmp_path / "a.png")[1] is None


def _palette(path: Path) -> None:
    half_transparent().quantize(32).save(path)


def _key_colour(path: Path) -> None:
    ramp().save(path, transparency=ramp().getpixel((3, 3)))


@pytest.mark.parametrize(
    "save",
    [
        lambda path: half_transparent().save(path),
        lambda path: half_transparent().convert("LA").save(path),
        lambda path: half_transparent().save(path, "WEBP", lossless=True),
        lambda path: Image.new("RGBA", (4, 4), (0, 0, 0, 128)).save(path),
        _palette,
        _key_colour,
    ],
)
def test_transparency_is_refused_but_in_a_reference(tmp_path, save):
    path = tmp_path / "a.png"
    save(path)
    assert refused(path) == "parts are transparent; save it on the ground that is meant"
    assert refused(path, read_mask).startswith("mask with an alpha channel, which does not say what is meant; save it")
    assert read_reference(path)[1] is not None


def test_what_a_reference_hides_is_not_seen(tmp_path):
    half_transparent().save(tmp_path / "a.png")
    picture, opacity = read_reference(tmp_path / "a.png")
    pixels = np.asarray(picture)
    assert np.array_equal(pixels[:, : WIDE // 2], np.asarray(ramp())[:, : WIDE // 2])
    assert (pixels[:, WIDE // 2 :] == 255).all()
    assert (np.asarray(opacity) == np.where(np.arange(WIDE) < WIDE // 2, 255, 0)).all()
    ramp().convert("RGBA").save(tmp_path / "b.png")
    assert read_reference(tmp_path / "b.png")[1] is None


def cmyk_profile(lightness: int, a: int, b: int) -> bytes:
    """An ICC profile in which paper is white and every ink prints one colour, so that no other rule gives it."""
    corners = bytes([255, 128, 128]) + bytes([lightness, a, b]) * 15
    identity = bytes(range(256))
    matrix = struct.pack(">9i", *(65536 * (i % 4 == 0) for i in range(9)))
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + matrix + identity * 4 + corners + identity * 3
    table += bytes(-len(table) % 4)
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)
    size, tags = 128 + 4 + 24 + len(table) + len(white), struct.pack(">I", 2)
    tags += b"A2B0" + struct.pack(">2I", 156, len(table)) + b"wtpt" + struct.pack(">2I", 156 + len(table), len(white))
    header = struct.pack(">I4sI4s4s4s", size, b"lcms", 0x02400000, b"prtr", b"CMYK", b"Lab ") + bytes(12) + b"acsp"
    header += bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + tags + table + white


def test_cmyk_is_converted_by_its_profile_or_refused(tmp_path):
    cyan = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    cyan.save(tmp_path / "a.jpg", icc_profile=cmyk_profile(138, 209, 195), quality=100)  # Lab of pure red
    red, green, blue = read_picture(tmp_path / "a.jpg").getpixel((4, 4))
    assert red > 240 and green < 30 and blue < 30
    for name, profile in (("b.jpg", None), ("c.jpg", b"no profile")):
        cyan.save(tmp_path / name, icc_profile=profile)
        assert refused(tmp_path / name) == "CMYK without a readable colour profile; save it as RGB"


def test_colour_profiles_of_rgb_are_applied_and_srgb_changes_nothing(tmp_path):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    ramp().save(tmp_path / "a.png", icc_profile=srgb)
    ramp().save(tmp_path / "b.png", icc_profile=b"no profile")
    for name in ("a.png", "b.png"):
        assert read_picture(tmp_path / name).tobytes() == ramp().tobytes()
    swapped = bytearray(srgb)
    red, green = (srgb.index(tag) for tag in (b"rXYZ", b"gXYZ"))  # the profile of a screen whose wires are crossed
    swapped[red + 4 : red + 12], swapped[green + 4 : green + 12] = (
        srgb[green + 4 : green + 12],
        srgb[red + 4 : red + 12],
    )
    name = "sRGB built-in"
    swapped = (
        bytes(swapped)
        .replace(name.encode(), b"wires crossed")
        .replace(name.encode("utf-16-be"), "wires crossed".encode("utf-16-be"))
    )
    ramp().save(tmp_path / "c.png", icc_profile=swapped)
    shown = np.asarray(read_picture(tmp_path / "c.png")).astype(int)
    assert np.abs(shown - np.asarray(ramp())[..., [1, 0, 2]]).max() <= 4


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP", "TIFF"])
def test_several_frames_are_refused(tmp_path, kind):
    frames = [ramp(), ramp().transpose(Image.Transpose.ROTATE_180)]
    frames[0].save(tmp_path / "a.png", kind, save_all=True, append_images=frames[1:])
    assert refused(tmp_path / "a.png").startswith("several frames or pages; save the one that is meant")


def test_a_phone_s_jpeg_with_a_preview_behind_it_is_its_first_picture(tmp_path):
    preview = ramp().resize((6, 4))
    ramp().save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[preview], quality=100)
    assert Image.open(tmp_path / "a.jpg").n_frames == 2
    assert read_picture(tmp_path / "a.jpg").size == (WIDE, HIGH)


@pytest.mark.parametrize("factor", [1.5, 3])  # where Pillow warns, and where it refuses itself
def test_a_bomb_is_refused(tmp_path, monkeypatch, factor):
    ramp().save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", int(WIDE * HIGH / factor))
    assert refused(tmp_path / "a.png") == "over 0 megapixels, too many to be opened safely; scale it down"


def test_a_bomb_of_text_is_refused(tmp_path):
    text = PngInfo()
    text.add_text("a", "a" * (2 << 20), zip=True)
    ramp().save(tmp_path / "a.png", pnginfo=text)
    assert refused(tmp_path / "a.png").startswith("unreadable (")


def test_what_cannot_be_read_is_named_with_its_reason(tmp_path):
    ramp().resize((300, 300)).save(tmp_path / "whole.jpg")
    (tmp_path / "half.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:3000])
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("<html>404</html>")
    (tmp_path / "folder.png").mkdir()
    reasons = {
        path.name: refused(path)
        for path in map(tmp_path.joinpath, ("half.jpg", "empty.png", "text.png", "folder.png", "gone.png"))
    }
    assert reasons == {
        "half.jpg": "unreadable (truncated or corrupt); fetch or export it again",
        "empty.png": "unreadable (an empty file); fetch or export it again",
        "text.png": "unreadable (no PNG, JPEG or WebP inside, or damaged); fetch or export it again",
        "folder.png": "unreadable (Is a directory); fetch or export it again",
        "gone.png": "unreadable (No such file or directory); fetch or export it again",
    }


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_damage_anywhere_never_ends_in_another_error(tmp_path, suffix):
    exif = Image.Exif()
    exif[0x0112] = 6
    half_transparent().convert("RGBA" if suffix != ".jpg" else "RGB").save(tmp_path / f"a{suffix}", exif=exif)
    sound, path = (tmp_path / f"a{suffix}").read_bytes(), tmp_path / f"b{suffix}"
    rng = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(sound[: rng.integers(len(sound) + 1)] if rng.random() < 0.2 else sound)
        for place in rng.integers(0, len(sound), 4):
            damaged[place : place + 1] = bytes([rng.integers(256)])
        path.write_bytes(damaged)
        try:
            open_picture(path)
        except UserError as error:
            assert re.match(f"{re.escape(str(path))}: ", str(error))


def test_names_of_any_bytes_are_printable():
    assert printable("caf\udce9\n\x1b[31m 猫") == r"caf\xe9\n\x1b[31m 猫"
    assert [fit_for_text(name) for name in ("a 猫 é", "caf\udce9", "a\nb")] == [True, False, False]
