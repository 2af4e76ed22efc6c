"""Pictures that are readable and hardly meant raise a doubt, in a validation and in a run; sound ones raise none."""

import numpy as np
import pytest
from PIL import Image, ImageFilter
from tficon_folder import CAT, SIDE, box_mask, check, only_entry, picture

from spin_bench.datasets.benchmarks import DatasetConfig, load_cases
from spin_bench.datasets.tficon import read_case
from spin_bench.mini.benchmark import write_case

MASK, OBJECT, PHOTO = "mask_bg_fg.png", "fg88_mask.png", "fg88_63d9d508b82cf5cb1db01976.jpg"


def no_watch(done, total, label):
    pass


def put(root, name, image):
    for path in (root / CAT).glob(f"{name.split('.')[0]}.*"):
        path.unlink()
    image.save(root / CAT / name)


def photo(width=SIDE, height=SIDE):
    """Colours, and enough light for a mask."""
    return picture(width, height, seed=6)


def grey_photo(width=SIDE, height=SIDE):
    return Image.fromarray(np.tile(np.linspace(0, 255, width).astype(np.uint8), (height, 1)))


def soft(width, height):
    return box_mask(width, height, box=(4, 4, 28, 26)).filter(ImageFilter.GaussianBlur(1))


@pytest.mark.parametrize(
    ("name", "image", "doubt"),
    [
        (MASK, photo(), "mask looks like a photo; give the file that is white in the region"),
        (MASK, grey_photo(), "mask looks like a photo"),
        (MASK, soft(SIDE, SIDE), "of the mask is mid-grey and counts from 128 as white; make it hard"),
        (MASK, box_mask(box=(0, 0, 26, 26)), "mask covers 66% of the picture; invert it if black is to be painted"),
        (MASK, box_mask(box=(0, 0, SIDE, SIDE)), "mask covers everything"),
        (OBJECT, photo(40, 30), "mask looks like a photo"),
        (OBJECT, grey_photo(40, 30), "mask looks like a photo"),
        (OBJECT, soft(40, 30), "of the mask is mid-grey"),
        (OBJECT, box_mask(30, 40), "object mask of another aspect than its photo, 30x40 and 40x30; export it again"),
    ],
)
def test_a_doubt_is_a_warning_and_leaves_the_entry_usable(root, name, image, doubt):
    put(root, name, image)
    ids, [line] = check(root)
    assert line.startswith(f"warning: {CAT}/{name}: ") and doubt in line
    assert ids == ["real-0001", "sketch-0007"]
    [doubt_of_a_run] = load_cases(DatasetConfig("tficon", str(root)), no_watch, limit=None, canvas=SIDE).doubts
    assert line == f"warning: {doubt_of_a_run}"


@pytest.mark.parametrize(
    ("masks", "photos", "pair"),
    [
        (
            {OBJECT: photo(40, 30)},
            {PHOTO: box_mask(40, 30)},
            (OBJECT, PHOTO),
        ),
        ({MASK: photo()}, {"bg36.png": box_mask()}, (MASK, "bg36.png")),
    ],
)
def test_swapped_files_are_named_together(root, masks, photos, pair):
    for name, image in (masks | photos).items():
        put(root, name, image)
    _, [warning] = check(root)
    mask, mistaken = pair
    assert (
        warning
        == f"warning: {CAT}/{mask}: a photo, and {CAT}/{mistaken} looks like its mask; give each the other's name"
    )


@pytest.mark.parametrize(("level", "words"), [(1, ", as of a label image"), (21, ", as of a label image"), (127, "")])
@pytest.mark.parametrize("name", [MASK, OBJECT])
def test_the_highest_level_of_an_empty_mask_is_said(root, name, level, words):
    put(root, name, box_mask(*((40, 30) if name == OBJECT else ()), level=level))
    ids, [line] = check(root)
    assert line.startswith(f"{CAT}/{name}: empty mask, no pixel over 127 (the highest level is {level}{words}); paint")
    assert ids == ["sketch-0007"]


def test_rounded_sizes_and_jpeg_noise_raise_no_doubt(root):
    put(root, OBJECT, box_mask(201, 151))
    (root / CAT / MASK).unlink(missing_ok=True)
    box_mask().convert("RGB").save(root / CAT / "mask_bg_fg.jpg", quality=60)
    assert check(root) == (["real-0001", "sketch-0007"], [])


def test_the_embedded_benchmark_raises_no_doubt(tmp_path):
    """The larger masks among its cases: cartoon-0000 is painted over 64 % of its picture."""
    for domain, index in (("cartoon", 0), ("real", 40), ("painting", 34)):
        write_case(tmp_path, domain, index)
    loaded = load_cases(DatasetConfig("mini", str(tmp_path), "all"), no_watch, limit=None, canvas=64)
    assert (len(loaded.cases), loaded.doubts, loaded.unusable) == (3, [], [])


def test_a_reference_s_alpha_is_its_object_mask_and_that_is_said(root):
    (root / CAT / OBJECT).unlink()
    cut_out = photo(40, 30)
    cut_out.putalpha(box_mask(40, 30))
    put(root, "fg88_63d9d508b82cf5cb1db01976.png", cut_out)
    _, [line] = check(root)
    assert line.endswith("1976.png: no object mask beside it: its alpha channel is taken for one")
    case, _ = read_case(only_entry(root), SIDE)
    assert case.reference_mask.tobytes() == box_mask(40, 30).tobytes()
    assert case.reference.getpixel((0, 0)) == (255, 255, 255)
    box_mask(40, 30, box=(8, 8, 12, 20)).save(root / CAT / OBJECT)  # a file goes before the alpha channel
    assert check(root)[1] == []
    assert read_case(only_entry(root), SIDE)[0].reference_mask.getbbox() == (8, 8, 12, 20)
