"""The first cases of a benchmark: broken entries are named and counted, and no other takes their turn."""

import os
import shutil
import subprocess
import unicodedata

import numpy as np
import pytest
from PIL import Image
from tficon_folder import CAT, SIDE, add_entry, box_mask, check, picture

from spin_bench.core.errors import UserError
from spin_bench.datasets.benchmarks import DatasetConfig, entries, load_cases, validate_hint
from spin_bench.datasets.tficon import RELEASED, scan, validate

FOLDERS = {"real": "Real-Real", "cartoon": "Real-Cartoon", "painting": "Real-Painting", "sketch": "Real-Sketch"}


def no_watch(done, total, label):
    pass


def load(root, *, limit=None, domains="all", canvas=SIDE):
    return load_cases(DatasetConfig("tficon", str(root), domains), no_watch, limit=limit, canvas=canvas)


def replaced(name, save):
    """A way of breaking an entry: another file in place of the one that begins so."""

    def spoil(folder):
        [path] = folder.glob(f"{name}*")
        path.unlink()
        save(path)

    return spoil


def hole(path):
    image = picture()
    image.putalpha(box_mask())
    image.save(path)


def animated(path):
    picture().save(path, save_all=True, append_images=[picture(seed=2)])


def renamed(name):
    return lambda folder: folder.rename(folder.with_name(folder.name[:4] + os.fsdecode(name)))


def both_backgrounds(folder):
    picture().save(folder / "bg1.jpg")


WAYS = {  # how an entry is broken, and what its reason says
    "missing": (lambda folder: (folder / "bg36.png").unlink(), "missing background (bg*.png, .jpg or .webp)"),
    "empty": (replaced("bg36", lambda path: path.touch()), "bg36.png: unreadable (an empty file)"),
    "truncated": (
        replaced("fg88_63", lambda path: path.write_bytes(b"\xff\xd8\xff\xe0\0\x10JFIF\0")),
        "1976.jpg: unreadable (truncated or corrupt)",
    ),
    "not a picture": (replaced("fg88_mask", lambda path: path.write_text("404")), "fg88_mask.png: unreadable ("),
    "animated": (replaced("bg36", animated), "bg36.png: several frames or pages"),
    "transparent background": (replaced("bg36", hole), "bg36.png: parts are transparent"),
    "mask by its alpha": (
        lambda folder: ((folder / "mask_bg_fg.jpg").unlink(), hole(folder / "mask_bg_fg.png")),
        "mask_bg_fg.png: mask with an alpha channel",
    ),
    "empty mask": (replaced("mask_bg_fg", box_mask(level=1).save), "no pixel over 127 (the highest level is "),
    "not square": (
        replaced("bg36", picture(48, SIDE).save),
        f"bg36.png: wrong size 48x{SIDE}, not square",
    ),
    "mask of another size": (
        replaced("mask_bg_fg", box_mask(64, 64).save),
        "mask_bg_fg.jpg: wrong size 64x64, expected",
    ),
    "another format": (
        lambda folder: (folder / "bg36.png").rename(folder / "bg36.heic"),
        "background bg36.heic is no .png, .jpg, .jpeg, .webp; save it as one of them",
    ),
    "two backgrounds": (both_backgrounds, "ambiguous background, bg1.jpg or bg36.png; keep one of them"),
    "malformed facts": (lambda folder: (folder / "facts.json").write_text("{"), "facts.json: not of the form"),
    "not UTF-8": (renamed(b" caf\xe9"), r"caf\xe9: name is not UTF-8 on one line; rename it"),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """As many entries as the release has, of tiny pictures."""
    root = tmp_path_factory.mktemp("whole")
    add_entry(root / CAT)
    for domain, count in RELEASED.items():
        first = 1 if domain == "real" else 0
        for index in range(first, first + count):
            folder = root / FOLDERS[domain] / f"{index:04d} a photograph of a cat"
            if folder != root / CAT:
                shutil.copytree(root / CAT, folder, copy_function=os.link)
    return root


def broken_copy(whole, root):
    """The benchmark with every 20th entry broken in another way; ids by way."""
    subprocess.run(["cp", "-rl", whole, root], check=True)
    ids = {}
    for entry, (way, (spoil, _)) in zip(scan(root).entries[3::20], WAYS.items(), strict=False):
        folder = entry.background.parent
        for path in list(folder.iterdir()):  # a hard link is another entry's file, too
            content = path.read_bytes()
            path.unlink()
            path.write_bytes(content)
        spoil(folder)
        ids[way] = entry.id
    return ids


def test_332_entries_of_which_14_are_broken_in_14_ways(whole, tmp_path):
    root = tmp_path / "broken"
    ids = broken_copy(whole, root)
    assert len(ids) == len(WAYS) == 14
    loaded = load(root)
    assert len(loaded.cases) == 318
    assert [case.id for case in loaded.unusable] == list(ids.values())
    for case, (_, words) in zip(loaded.unusable, WAYS.values(), strict=True):
        assert words in case.reason and "\n" not in case.reason
        assert case.id.startswith(f"{case.domain}-")
    assert not {case.id for case in loaded.cases} & set(ids.values())
    assert loaded.doubts == []

    sound, lines = validate(root, canvas=SIDE, cell=4)
    assert [entry.id for entry in sound] == [case.id for case in loaded.cases]
    assert len(lines) == 14 and all(any(words in line for line in lines) for _, words in WAYS.values())


def test_a_limit_counts_usable_and_unusable_cases(whole, tmp_path):
    root = tmp_path / "broken"
    ids = broken_copy(whole, root)
    first = load(root, limit=24, domains="real")
    assert [case.id for case in first.cases] == [f"real-{n:04d}" for n in range(1, 25) if n not in (4, 24)]
    assert [case.id for case in first.unusable] == [ids["missing"], ids["empty"]] == ["real-0004", "real-0024"]
    usable, unusable = entries(DatasetConfig("tficon", str(root), "real"), no_watch, limit=24)
    assert (len(usable), [case.id for case in unusable]) == (23, ["real-0004"])  # names alone


def test_one_corrupt_picture_does_not_stop_the_others_and_none_usable_does(root):
    (root / CAT / "bg36.png").write_bytes(b"")
    loaded = load(root)
    assert ([case.id for case in loaded.cases], [case.id for case in loaded.unusable]) == (
        ["sketch-0007"],
        ["real-0001"],
    )
    hint = f"list all with: spin-bench validate dataset=tficon dataset.root={root}"
    with pytest.raises(UserError, match=rf"no usable entry of domain real \(real-0001: .*bg36.png: .*{hint}$"):
        load(root, domains="real")


def test_twins_are_two_missing_cases(root):
    add_entry(root / "Real-Real/0001 a photograph of another cat")
    loaded = load(root)
    assert [case.id for case in loaded.cases] == ["sketch-0007"]
    assert len({case.id for case in loaded.unusable}) == 2
    assert all("duplicated index or prompt '0001'" in case.reason for case in loaded.unusable)


@pytest.mark.parametrize("suffix", [".webp", ".WEBP", ".PNG", ".JPEG"])
def test_every_role_may_be_of_any_format(root, suffix):
    for path in [*(root / CAT).glob("bg*"), *(root / CAT).glob("*fg*")]:
        Image.open(path).save(path.with_suffix(".tmp"), "PNG")
        path.with_suffix(".tmp").rename(path.with_suffix(suffix))
        path.unlink()
    assert check(root) == (["real-0001", "sketch-0007"], [])


@pytest.mark.parametrize(
    ("old", "new"),
    [("mask_bg_fg.jpg", "mask_bg_fg.tif"), ("fg88_mask.png", "fg88_mask.heic"), ("bg36.png", "bg36.png.part")],
)
def test_a_file_of_another_format_is_named_and_not_called_missing(root, old, new):
    (root / CAT / old).rename(root / CAT / new)
    _, [line] = check(root)
    assert f" {new} is no .png, .jpg, .jpeg, .webp; save it as one of them" in line and "missing" not in line


def test_notes_beside_the_pictures_are_nobody_s_picture(root):
    (root / CAT / "fg88_mask.png").unlink()
    (root / CAT / "fg88_mask.json").write_text("{}")
    ids, [line] = check(root)
    assert line.startswith(f"warning: {CAT}: missing reference mask") and ids == ["real-0001", "sketch-0007"]


def test_prompts_are_composed_letters(root):
    word = "Kätzchen"
    add_entry(root / f"Real-Real/0002 {unicodedata.normalize('NFD', word)}")
    add_entry(root / f"same_domain/{unicodedata.normalize('NFD', word)}")
    by_id = {entry.id: entry.prompt for entry in scan(root).entries}
    assert by_id["real-0002"] == word
    composed = root.parent / "composed"
    add_entry(composed / f"same_domain/{word}")
    assert {entry.id for entry in scan(composed).entries} < by_id.keys()


@pytest.mark.parametrize("name", [b"0002 caf\xe9", b"0002 two\nlines", b"0002 \x1b[31mred"])
def test_a_name_that_no_table_can_hold_is_a_problem_line(root, name):
    (root / CAT).rename(root / "Real-Real" / os.fsdecode(name))
    ids, [line] = check(root)
    assert line.endswith("name is not UTF-8 on one line; rename it")
    assert line.encode() and line.isprintable() and ids == ["sketch-0007"]
    assert [case.id for case in load(root).unusable] == ["real-0002"]


def test_a_file_whose_name_is_not_utf_8(root):
    (root / CAT / "bg36.png").rename(root / CAT / os.fsdecode(b"bg\xe9.png"))
    _, [line] = check(root)
    assert line == rf"{CAT.split('/')[1]}/bg\xe9.png: name is not UTF-8 on one line; rename it"


def test_a_mask_between_the_latent_cells_is_a_problem_of_validation_and_not_of_the_reading(root):
    (root / CAT / "mask_bg_fg.jpg").unlink()
    box_mask(box=(9, 9, 12, 12)).save(root / CAT / "mask_bg_fg.png")
    ids, [line] = check(root)  # cells of 4 px: those at 8 and at 12 are outside
    assert line.startswith(
        f"{CAT}/mask_bg_fg.png: mask without a latent cell at a canvas of {SIDE} px, where a cell has 4"
    )
    assert ids == ["sketch-0007"]
    assert [case.id for case in load(root).cases] == ["real-0001", "sketch-0007"]  # copy-paste can paint it
    assert validate(root, canvas=SIDE, cell=2, expected=None)[1] == []


@pytest.mark.parametrize("name", ["plain", "with spaces", "o'clock, a=b {c} [d]"])
def test_the_hint_is_a_command_that_works(root, tmp_path, name, monkeypatch):
    shutil.copytree(root, tmp_path / "benchmarks" / name)
    from spin_bench.cli.main import main

    config = DatasetConfig("tficon", str(tmp_path / "benchmarks" / name), "all")
    words = subprocess.run(
        ["bash", "-c", f'for word in {validate_hint(config, "mini")}; do printf "%s\\0" "$word"; done'],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")[:-1]
    assert words[:2] == ["spin-bench", "validate"]
    assert main(words[1:]) == 0


def test_pictures_are_the_same_at_every_reading(root):
    first, second = (load(root).cases for _ in range(2))
    assert [case.digest for case in first] == [case.digest for case in second]
    assert np.asarray(first[0].mask).max() == 255
