"""A case does not depend on how its files were encoded."""

import json
import re
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tficon_folder import BOX, CAT, GENUINE, SIDE, box_mask, check, only_entry, picture

from spin_bench.core.case import DOMAINS
from spin_bench.core.errors import UserError
from spin_bench.datasets.tficon import load_case, scan, validate


def test_case_is_at_canvas_size_except_its_reference(root):
    noise = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)  # tells filters apart
    Image.fromarray(noise).save(root / CAT / "bg36.png")
    case = load_case(only_entry(root), 16)
    assert (case.background.size, case.background.mode) == ((16, 16), "RGB")
    assert (case.mask.size, case.mask.mode) == ((16, 16), "L")
    assert (case.reference.size, case.reference.mode) == ((40, 30), "RGB")
    wanted = Image.open(root / CAT / "bg36.png").resize((16, 16), Image.Resampling.LANCZOS)
    assert case.background.tobytes() == wanted.tobytes()
    assert case.mask.tobytes() == box_mask(16, 16, box=tuple(edge // 2 for edge in BOX)).tobytes()


def test_jpeg_noise_in_the_mask_is_thresholded(root):
    box_mask().convert("RGB").save(root / CAT / "mask_bg_fg.jpg", quality=60)
    assert len(Image.open(root / CAT / "mask_bg_fg.jpg").convert("L").getcolors()) > 2
    assert load_case(only_entry(root), SIDE).mask.tobytes() == box_mask().tobytes()


@pytest.mark.parametrize(("level", "painted"), [(127, 0), (128, 1)])
def test_threshold_is_exclusive(root, level, painted):
    mask = box_mask(box=(0, 0, 1, 1))
    mask.putpixel((5, 5), level)
    mask.save(root / CAT / "mask_bg_fg.png")
    (root / CAT / "mask_bg_fg.jpg").unlink()
    assert np.count_nonzero(load_case(only_entry(root), SIDE).mask) == 1 + painted


def test_mask_that_vanishes_at_the_canvas(root):
    box_mask(box=(0, 0, 1, 1)).save(root / CAT / "mask_bg_fg.png")
    (root / CAT / "mask_bg_fg.jpg").unlink()
    with pytest.raises(UserError, match=r"mask_bg_fg\.png: empty mask, .* at 8x8"):
        load_case(only_entry(root), 8)


def test_object_mask_of_another_resolution_follows_the_reference(root):
    box_mask(80, 60, box=(16, 16, 48, 40)).save(root / CAT / "fg88_mask.png")
    assert check(root)[1] == []
    assert load_case(only_entry(root), SIDE).reference_mask.tobytes() == box_mask(40, 30).tobytes()


def rgba(mask):
    return Image.merge("RGBA", [mask, mask, mask, Image.new("L", mask.size, 255)])


@pytest.mark.parametrize("encode", [rgba, lambda mask: mask.convert("1"), lambda mask: mask.convert("P")])
def test_object_mask_in_any_mode(root, encode):
    encode(box_mask(40, 30)).save(root / CAT / "fg88_mask.png")
    mask = load_case(only_entry(root), SIDE).reference_mask
    assert (mask.mode, mask.tobytes()) == ("L", box_mask(40, 30).tobytes())


def test_object_mask_as_three_channel_jpeg(root):
    (root / CAT / "fg88_mask.png").unlink()
    box_mask(40, 30).convert("RGB").save(root / CAT / "fg88_mask.jpg", quality=60)
    assert load_case(only_entry(root), SIDE).reference_mask.tobytes() == box_mask(40, 30).tobytes()


def test_digest_ignores_how_files_are_encoded(root):
    before = load_case(only_entry(root), SIDE).digest
    folder = root / CAT
    Image.open(folder / "bg36.png").save(folder / "bg99.png", compress_level=0)
    (folder / "bg36.png").unlink()
    box_mask().convert("1").save(folder / "mask_bg_fg.png")
    (folder / "mask_bg_fg.jpg").unlink()
    rgba(box_mask(40, 30)).save(folder / "fg88_mask.png")
    (folder / "cp_bg_fg.jpg").unlink()
    (folder / "facts.json").write_text("{}")
    moved = shutil.copytree(root, root / "copied", ignore=shutil.ignore_patterns("copied"))
    assert re.fullmatch("[0-9a-f]{64}", before)
    assert load_case(only_entry(root), SIDE).digest == load_case(only_entry(moved), SIDE).digest == before


def recolour(folder, name):
    image = Image.open(folder / name)
    image.load()
    pixel = (image.width // 2, image.height // 2)
    image.putpixel(pixel, 0 if image.mode == "L" else (255, 255, 255))
    (folder / name).unlink()
    image.save(folder / f"{Path(name).stem}.png")


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: recolour(folder, "bg36.png"),
        lambda folder: recolour(folder, "fg88_63d9d508b82cf5cb1db01976.jpg"),
        lambda folder: recolour(folder, "fg88_mask.png"),
        lambda folder: box_mask(box=(8, 8, 24, 21)).save(folder / "mask_bg_fg.jpg", quality=100),
        lambda folder: picture().save(folder / "true_bg_fg.png"),
        lambda folder: (folder / "fg88_mask.png").unlink(),
        lambda folder: (folder / "facts.json").write_text(json.dumps({"subject": "cat"})),
        lambda folder: (folder / "facts.json").write_text(json.dumps({"novel": True})),
        lambda folder: folder.rename(f"{folder}s"),
    ],
)
def test_digest_sees_every_change(root, change):
    before = load_case(only_entry(root), SIDE).digest
    change(root / CAT)
    assert load_case(only_entry(root), SIDE).digest != before


def test_digest_differs_between_canvases(root):
    entry = only_entry(root)
    assert load_case(entry, SIDE).digest != load_case(entry, 16).digest


def test_digest_sees_the_shape_of_equal_bytes(root):
    digests = set()
    for size in ((40, 30), (30, 40)):
        (root / CAT / "fg88_63d9d508b82cf5cb1db01976.jpg").unlink(missing_ok=True)
        Image.new("RGB", size, "red").save(root / CAT / "fg.png")
        Image.new("L", size, 255).save(root / CAT / "fg88_mask.png")
        digests.add(load_case(only_entry(root), SIDE).digest)
    assert len(digests) == 2


# May not be redistributed: beside the checkout or nowhere; synthetic folders cover the same rules.
@pytest.mark.skipif(not GENUINE.is_dir(), reason="no genuine TF-ICON entries beside the checkout")
def test_genuine_entries():
    entries, problems = validate(GENUINE, canvas=512, cell=8)
    assert Counter(entry.domain for entry in entries) == {"real": 4, "cartoon": 2, "painting": 2, "sketch": 2}
    [counts] = problems  # and no doubt about any of them
    assert counts.startswith("warning: 10 entries, the release has 332 (real 4 of 237, ")
    cases = [load_case(entry, 64) for entry in entries]
    assert {case.domain for case in cases} == set(DOMAINS)
    assert len({case.digest for case in cases}) == 10
    for case in cases:
        assert set(np.unique(case.mask)) == set(np.unique(case.reference_mask)) == {0, 255}
        assert case.reference_mask.size == case.reference.size
        assert case.prompt == case.prompt.strip() and not case.prompt[0].isdigit()


# May not be redistributed: beside the checkout or nowhere; synthetic folders cover the same rules.
@pytest.mark.skipif(not GENUINE.is_dir(), reason="no genuine TF-ICON entries beside the checkout")
def test_genuine_user_mask_is_one_filled_rectangle():
    for entry in scan(GENUINE).entries:
        mask = load_case(entry, 512).mask
        left, top, right, bottom = mask.getbbox()
        assert np.count_nonzero(mask) == (right - left) * (bottom - top)
