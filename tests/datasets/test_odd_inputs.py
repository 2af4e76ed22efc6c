"""The odd inputs that lie beside the checkout: each is read as a viewer shows it, doubted, or refused in one line."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tficon_folder import GENUINE

from spin_bench.core.errors import UserError
from spin_bench.datasets.tficon import load_case, scan, validate

ODD = GENUINE.parent / "odd"
PAPER, EMBEDDED = {"canvas": 512, "cell": 8}, {"canvas": 64, "cell": 4}

pytestmark = pytest.mark.skipif(not ODD.is_dir(), reason="no odd inputs beside the checkout")


def only_case(name: str, canvas: int = 512):
    [entry] = scan(ODD / name).entries
    return load_case(entry, canvas)


def sound_case(canvas: int = 512):
    """The entry that every odd one was made from."""
    [entry] = [entry for entry in scan(GENUINE).entries if entry.id == "real-0120"]
    return load_case(entry, canvas)


def lines_of(name: str, stack: dict[str, int]) -> list[str]:
    return validate(ODD / name, **stack, expected=None)[1]


def apart(a: Image.Image, b: Image.Image) -> float:
    return float(np.abs(np.asarray(a).astype(float) - np.asarray(b)).mean())


def test_bg16_is_scaled_to_8_bits():
    case = only_case("bg16")
    [path] = (ODD / "bg16").rglob("bg36.png")
    levels = np.asarray(Image.open(path))
    assert levels.dtype == np.uint16 and levels.max() > 255
    assert np.array_equal(np.asarray(case.background)[..., 0], (levels / 257).round())
    assert lines_of("bg16", PAPER) == []


def test_bg_webp_is_read():
    assert apart(only_case("bg_webp").background, sound_case().background) < 4
    assert lines_of("bg_webp", PAPER) == []


def test_exif_bg_is_turned_upright():
    case, sound = only_case("exif_bg"), sound_case()
    assert apart(case.background, sound.background) < 4 < apart(case.background.rotate(90), sound.background)
    assert lines_of("exif_bg", PAPER) == []


@pytest.mark.parametrize("stack", [PAPER, EMBEDDED])
def test_fg_and_mask_swapped_is_doubted(stack):
    [line] = lines_of("fg_and_mask_swapped", stack)
    assert line.startswith("warning: ") and "fg88_mask.png: a photo, and " in line
    assert line.endswith("fg88_63d9d508b82cf5cb1db01976.jpg looks like its mask; give each the other's name")


@pytest.mark.parametrize("stack", [PAPER, EMBEDDED])
def test_mask_alpha_hole_is_refused(stack):
    [line] = lines_of("mask_alpha_hole", stack)
    with pytest.raises(UserError) as caught:
        only_case("mask_alpha_hole", stack["canvas"])
    assert line == str(caught.value)
    assert "mask_bg_fg.png: mask with an alpha channel, which does not say what is meant; save it without" in line


def test_mask_inverted_is_doubted():
    [line] = lines_of("mask_inverted", PAPER)
    assert line.startswith("warning: ")
    assert line.endswith("mask_bg_fg.png: mask covers 75% of the picture; invert it if black is to be painted")


def test_mask_thin_is_refused_for_the_canvas_whose_cells_it_misses():
    """Five columns from 257: none is a multiple of 8; the one that a canvas of 64 px keeps, 260, is a cell's."""
    [line] = lines_of("mask_thin", PAPER)
    assert "mask_bg_fg.png: mask without a latent cell at a canvas of 512 px, where a cell has 8; widen" in line
    assert lines_of("mask_thin", EMBEDDED) == []
    assert only_case("mask_thin", 64).mask.getbbox() == (32, 12, 33, 50)


@pytest.mark.parametrize("stack", [PAPER, EMBEDDED])
def test_nonsquare_is_refused_and_never_squashed(stack):
    [line] = lines_of("nonsquare", stack)
    assert line.endswith("bg36.png: wrong size 768x512, not square; crop it and its mask alike")
    with pytest.raises(UserError, match="wrong size 768x512, not square"):
        only_case("nonsquare", stack["canvas"])


def test_ref_alpha_is_its_object_mask_and_the_hidden_magenta_is_gone():
    case = only_case("ref_alpha")
    assert case.reference_mask is not None and case.reference_mask.size == case.reference.size
    outside = np.asarray(case.reference)[np.asarray(case.reference_mask) == 0]
    assert np.median(outside, axis=0).tolist() == [255, 255, 255]
    [line] = lines_of("ref_alpha", PAPER)
    assert line.startswith("warning: ") and line.endswith(
        "fg88.png: no object mask beside it: its alpha channel is taken for one"
    )


def test_two_corrupt_loses_one_entry_and_two_good_none():
    entries, [line] = validate(ODD / "two_corrupt", **EMBEDDED, expected=None)
    assert [entry.id for entry in entries] == ["real-0120"]
    assert "bg36.png: unreadable (an empty file); fetch or export it again" in line
    entries, lines = validate(ODD / "two_good", **EMBEDDED, expected=None)
    assert ([entry.id for entry in entries], lines) == (["real-0113", "real-0120"], [])


def test_a_latin_1_name_as_an_old_unzip_leaves_it(tmp_path: Path):
    [folder] = (ODD / "bg_webp/Real-Real").iterdir()
    shutil.copytree(folder, tmp_path / "Real-Real" / os.fsdecode(b"0120 a caf\xe9"))
    entries, [line] = validate(tmp_path, **PAPER, expected=None)
    assert (entries, line) == ([], r"Real-Real/0120 a caf\xe9: name is not UTF-8 on one line; rename it")
