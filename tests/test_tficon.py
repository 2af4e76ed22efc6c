"""The TF-ICON reader: each defect has its line, each line its entry, and a case does not depend on file encoding."""

import json
import re
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from spin_bench.case import DOMAINS
from spin_bench.datasets.tficon import load_case, scan
from spin_bench.errors import UserError

GENUINE = Path(__file__).parents[1].parent / "shared/data/tficon"
SIDE = 32
CAT = "Real-Real/0001 a photograph of a cat"
DOG = "Real-Sketch/0007 a pencil drawing of a dog"
BOX = (8, 8, 24, 20)  # the painted rectangle of every mask here


def picture(width=SIDE, height=SIDE, seed=0):
    """A smooth coloured ramp, so that JPEG and resizing leave it recognisable."""
    y, x = np.mgrid[:height, :width]
    return Image.fromarray(
        np.stack([x * 255 // width, y * 255 // height, 0 * x + 37 * seed % 256], -1).astype(np.uint8)
    )


def box_mask(width=SIDE, height=SIDE, level=255, box=BOX):
    mask = Image.new("L", (width, height))
    mask.paste(level, box)
    return mask


@pytest.fixture
def root(tmp_path):
    """Two sound entries, of different domains, in the released layout."""
    for seed, where in enumerate((CAT, DOG)):
        add_entry(tmp_path / where, seed)
    return tmp_path


def add_entry(folder, seed=0):
    folder.mkdir(parents=True)
    picture(seed=seed).save(folder / "bg36.png")
    picture(40, 30, seed=seed + 5).save(folder / "fg88_63d9d508b82cf5cb1db01976.jpg")
    box_mask(40, 30).save(folder / "fg88_mask.png")
    box_mask().convert("RGB").save(folder / "mask_bg_fg.jpg")
    picture().save(folder / "cp_bg_fg.jpg")
    box_mask().save(folder / "dccf_image.jpg")


def check(root, *, decode=True, side=SIDE, expected=None):
    entries, problems = scan(root, decode=decode, side=side, expected=expected)
    assert all("\n" not in line for line in problems)
    return [entry.id for entry in entries], problems


def only_entry(root):
    [entry] = [entry for entry in scan(root, decode=False, expected=None)[0] if entry.id == "real-0001"]
    return entry


@pytest.mark.parametrize("decode", [False, True])
def test_sound_entries_have_no_problems(root, decode):
    entries, problems = scan(root, decode=decode, side=SIDE, expected={"real": 1, "sketch": 1})
    assert problems == []
    cat, dog = entries
    assert (cat.id, cat.domain, cat.index, cat.prompt) == ("real-0001", "real", "0001", "a photograph of a cat")
    assert (dog.id, dog.domain) == ("sketch-0007", "sketch")
    assert [path.name for path in (cat.background, cat.mask, cat.reference, cat.reference_mask)] == [
        "bg36.png",
        "mask_bg_fg.jpg",
        "fg88_63d9d508b82cf5cb1db01976.jpg",
        "fg88_mask.png",
    ]
    assert (cat.truth, cat.subject, cat.novel) == (None, "", False)


def test_entries_are_sorted_by_domain_then_index(root):
    for name in ("Real-Sketch/0000 x", "Real-Painting/0003 x", "Real-Cartoon/0002 x", "Real-Real/0000 x"):
        add_entry(root / name)
    ids, _ = check(root)
    assert ids == ["real-0000", "real-0001", "cartoon-0002", "painting-0003", "sketch-0000", "sketch-0007"]


def test_stray_spaces_around_the_prompt_go(root):
    add_entry(root / "Real-Real/0123  a professional  photo ")
    prompts = {entry.id: entry.prompt for entry in scan(root, decode=False, expected=None)[0]}
    assert prompts["real-0123"] == "a professional  photo"


def test_extensions_and_their_case_may_be_mixed(root):
    folder = root / CAT
    Image.open(folder / "bg36.png").save(folder / "bg36.JPG", "JPEG")
    (folder / "bg36.png").unlink()
    Image.open(folder / "fg88_mask.png").save(folder / "fg88_mask.jpeg")
    (folder / "fg88_mask.png").unlink()
    box_mask().save(folder / "mask_bg_fg.png")
    (folder / "mask_bg_fg.jpg").unlink()
    entry = only_entry(root)
    assert check(root) == (["real-0001", "sketch-0007"], [])
    assert (entry.background.name, entry.mask.name) == ("bg36.JPG", "mask_bg_fg.png")
    assert entry.reference_mask.name == "fg88_mask.jpeg"


def test_what_archivers_leave_behind_is_ignored(root):
    (root / CAT / "._fg88_mask.png").write_bytes(b"resource fork")
    (root / CAT / ".DS_Store").write_bytes(b"")
    (root / "__MACOSX" / CAT).mkdir(parents=True)
    assert check(root) == (["real-0001", "sketch-0007"], [])


def test_facts_and_truth_of_the_embedded_benchmark(root):
    (root / CAT / "facts.json").write_text('{"subject": "cat", "novel": true, "more": 1}')
    picture(64, 64, seed=3).save(root / CAT / "true_bg_fg.png")
    entry = only_entry(root)
    case = load_case(entry, SIDE)
    assert (entry.subject, entry.novel, case.subject, case.novel) == ("cat", True, "cat", True)
    assert (case.truth.size, case.truth.mode) == ((SIDE, SIDE), "RGB")


@pytest.mark.parametrize("text", ["{", "[]", '{"subject": 3}', '{"novel": "no"}', "\udcff"])
def test_malformed_facts(root, text):
    (root / CAT / "facts.json").write_bytes(text.encode(errors="surrogateescape"))
    ids, [line] = check(root, decode=False)
    assert f"{CAT}/facts.json" in line
    assert ids == ["sketch-0007"]


@pytest.mark.parametrize(
    ("name", "role"),
    [("bg36.png", "background"), ("mask_bg_fg.jpg", "mask"), ("fg88_63d9d508b82cf5cb1db01976.jpg", "reference")],
)
@pytest.mark.parametrize("decode", [False, True])
def test_missing_file(root, name, role, decode):
    (root / CAT / name).unlink()
    ids, [line] = check(root, decode=decode)
    assert line.startswith(f"{CAT}: missing {role} (")
    assert ids == ["sketch-0007"]


def test_missing_object_mask_is_a_warning(root):
    (root / CAT / "fg88_mask.png").unlink()
    ids, [line] = check(root)
    assert line.startswith(f"warning: {CAT}: missing reference mask")
    assert ids == ["real-0001", "sketch-0007"]
    assert load_case(only_entry(root), SIDE).reference_mask is None


@pytest.mark.parametrize(
    ("name", "role"),
    [("bg1.jpg", "background"), ("mask_bg_fg.png", "mask"), ("fg.jpg", "reference"), ("x_mask.png", "reference mask")],
)
def test_ambiguous_file(root, name, role):
    (root / CAT / name).write_bytes(b"not decoded before it is clear that it is meant")
    ids, [line] = check(root)
    assert line.startswith(f"{CAT}: ambiguous {role}, ")
    assert name in line
    assert ids == ["sketch-0007"]


@pytest.mark.parametrize(("width", "height", "side"), [(SIDE, 24, SIDE), (64, 64, SIDE), (SIDE, 24, None)])
def test_background_of_wrong_size(root, width, height, side):
    picture(width, height).save(root / CAT / "bg36.png")
    box_mask(width, height).save(root / CAT / "mask_bg_fg.jpg")
    ids, [line] = check(root, side=side)
    assert line.startswith(f"{CAT}/bg36.png: wrong size {width}x{height}, expected {SIDE}x{SIDE}")
    assert ids == ["sketch-0007"]


def test_any_square_background_will_do_without_a_side(root):
    picture(64, 64).save(root / CAT / "bg36.png")
    box_mask(64, 64).save(root / CAT / "mask_bg_fg.jpg")
    assert check(root, side=None) == (["real-0001", "sketch-0007"], [])


@pytest.mark.parametrize("name", ["mask_bg_fg.jpg", "true_bg_fg.png"])
def test_picture_of_another_size_than_the_background(root, name):
    box_mask(64, 64).save(root / CAT / name)
    ids, [line] = check(root)
    assert line.startswith(f"{CAT}/{name}: wrong size 64x64, expected {SIDE}x{SIDE}")
    assert ids == ["sketch-0007"]


@pytest.mark.parametrize("name", ["mask_bg_fg.jpg", "fg88_mask.png"])
def test_empty_mask(root, name):
    Image.new("L", Image.open(root / CAT / name).size, 127).save(root / CAT / name, quality=100)
    ids, [line] = check(root)
    assert line.startswith(f"{CAT}/{name}: empty mask")
    assert ids == ["sketch-0007"]
    with pytest.raises(UserError, match=re.escape(f"{CAT}/{name}: empty mask")):
        load_case(only_entry(root), SIDE)


def test_mask_that_covers_everything_is_a_warning(root):
    Image.new("L", (SIDE, SIDE), 255).save(root / CAT / "mask_bg_fg.jpg")
    ids, [line] = check(root)
    assert line.startswith(f"warning: {CAT}/mask_bg_fg.jpg: mask covers everything")
    assert ids == ["real-0001", "sketch-0007"]


def test_object_that_fills_its_photo_is_no_problem(root):
    Image.new("L", (40, 30), 255).save(root / CAT / "fg88_mask.png")
    assert check(root) == (["real-0001", "sketch-0007"], [])


@pytest.mark.parametrize("name", ["bg36.png", "fg88_63d9d508b82cf5cb1db01976.jpg", "fg88_mask.png", "mask_bg_fg.jpg"])
@pytest.mark.parametrize("keep", [0.0, 0.5])
def test_truncated_picture(root, name, keep):
    path = root / CAT / name
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    assert check(root, decode=False) == (["real-0001", "sketch-0007"], [])  # names alone cannot tell
    ids, [line] = check(root)
    assert f"{CAT}/{name}: unreadable" in line
    assert ids == ["sketch-0007"]
    with pytest.raises(UserError, match=re.escape(f"{CAT}/{name}: unreadable")):
        load_case(only_entry(root), SIDE)


def test_file_that_vanished_after_the_scan(root):
    entry = only_entry(root)
    entry.reference.unlink()
    with pytest.raises(UserError, match="No such file"):
        load_case(entry, SIDE)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), name=st.sampled_from(["bg36.png", "mask_bg_fg.jpg"]))
def test_a_damaged_file_never_ends_in_another_error(root, data, name):
    path = root / CAT / name
    sound = path.read_bytes()
    damaged = bytearray(sound)
    for place, value in data.draw(st.dictionaries(st.integers(0, len(sound) - 1), st.integers(0, 255))).items():
        damaged[place] = value
    try:
        path.write_bytes(damaged[: data.draw(st.integers(0, len(sound)))])
        try:
            case = load_case(only_entry(root), SIDE)
        except UserError as error:
            assert f"{CAT}/{name}: " in str(error)
        else:
            assert case.background.size == case.mask.size == (SIDE, SIDE)
    finally:
        path.write_bytes(sound)


def test_unknown_domain_is_named_with_the_nearest_known(root):
    add_entry(root / "Real-Cartoons/0001 a cartoon animation of a cat")
    ids, [line] = check(root)
    assert line.startswith("unknown domain 'Real-Cartoons': did you mean 'Real-Cartoon'?")
    assert ids == ["real-0001", "sketch-0007"]


def test_a_benchmark_nested_too_deep_is_an_unknown_domain(root):
    add_entry(root / "TF_ICON" / CAT)
    _, [line] = check(root)
    assert line.startswith("unknown domain 'TF_ICON'")


def test_duplicated_index_leaves_out_both(root):
    other = "Real-Real/0001 a photograph of another cat"
    add_entry(root / other)
    add_entry(root / "Real-Cartoon/0001 the same index in another domain")
    ids, [line] = check(root, decode=False)
    assert CAT in line and other in line and "'0001'" in line
    assert ids == ["cartoon-0001", "sketch-0007"]


@pytest.mark.parametrize("name", ["a photograph without index", "12 a photograph", "12345 a photograph"])
def test_folder_of_a_released_domain_without_index(root, name):
    add_entry(root / "Real-Real" / name)
    ids, [line] = check(root)
    assert line.startswith(f"Real-Real/{name}: no 4-digit index")
    assert ids == ["real-0001", "sketch-0007"]


def test_folder_without_prompt(root):
    add_entry(root / "Real-Real/0002")
    ids, [line] = check(root)
    assert line.startswith("Real-Real/0002: no prompt")
    assert ids == ["real-0001", "sketch-0007"]


def test_counts_name_each_domain_that_differs(root):
    _, problems = check(root, expected={"real": 1, "cartoon": 2, "sketch": 3})
    assert [line.split(",")[0] for line in problems] == ["Real-Cartoon: 0 entries", "Real-Sketch: 1 entries"]
    assert all("2 of 6 in all" in line for line in problems)


def test_counts_of_the_release_by_default(root):
    _, problems = scan(root, decode=False)
    assert [int(re.search(r"expected (\d+)", line)[1]) for line in problems] == [237, 27, 37, 31]
    assert all("2 of 332 in all" in line for line in problems)


def test_a_broken_entry_is_still_counted(root):
    (root / CAT / "bg36.png").unlink()
    _, problems = check(root, expected={"real": 1, "sketch": 1})
    assert [line.split(": ")[0] for line in problems] == [CAT]


def test_all_problems_are_found_at_once(root):
    (root / CAT / "bg36.png").unlink()
    (root / CAT / "fg88_mask.png").write_bytes(b"not a picture")
    picture().save(root / DOG / "fg2.png")
    box_mask(level=0).save(root / DOG / "mask_bg_fg.jpg")
    add_entry(root / "Elsewhere/0001 a dog")
    ids, problems = check(root, expected={"real": 2, "sketch": 1})
    assert ids == []
    text = "\n".join(problems)
    for part in (
        f"{CAT}: missing background",
        f"{CAT}/fg88_mask.png: unreadable",
        f"{DOG}: ambiguous reference",
        f"{DOG}/mask_bg_fg.jpg: empty mask",
        "unknown domain 'Elsewhere'",
        "Real-Real: 1 entries, expected 2",
    ):
        assert text.count(part) == 1
    assert len(problems) == 6


@pytest.mark.parametrize("make", [lambda root: None, lambda root: root.mkdir(), lambda root: root.write_text("file")])
def test_missing_or_empty_root(tmp_path, make):
    root = tmp_path / "benchmark"
    make(root)
    with pytest.raises(UserError, match=str(root)) as caught:
        scan(root, decode=False)
    assert "\n" not in str(caught.value)


def test_a_domain_given_as_root(root):
    with pytest.raises(UserError, match="no entries under"):
        scan(root / "Real-Real", decode=False)


def test_layout_of_the_repository_inputs(tmp_path):
    domains = {
        "same_domain/an oil painting on a wall, ultra realistic": "real",
        "cross_domain/a Cartoon Animation of a cat": "cartoon",
        "cross_domain/an oil painting of a cat, Van Gogh Style": "painting",
        "cross_domain/a pencil drawing of a cat": "sketch",
        "my own/a photo of a cat": "real",
    }
    for name in domains:
        add_entry(tmp_path / name)
    entries, problems = scan(tmp_path, decode=True, side=SIDE, expected=None)
    assert problems == []
    assert {entry.prompt: entry.domain for entry in entries} == {
        Path(name).name: domain for name, domain in domains.items()
    }
    assert all(entry.index == "" and load_case(entry, SIDE).id == entry.id for entry in entries)
    assert any(entry.id.startswith("cartoon-a-cartoon-animation-of-a-cat-") for entry in entries)


def test_ids_without_index_are_file_names_and_unique(tmp_path):
    prompts = [
        "a cat",
        "a cat!",
        "A cat",
        "ein Kätzchen",
        "猫",
        "a very long prompt " * 12 + "1",
        "a very long prompt " * 12 + "2",
    ]
    for prompt in prompts:
        add_entry(tmp_path / "same_domain" / prompt)
    ids = [entry.id for entry in scan(tmp_path, decode=False, expected=None)[0]]
    assert len({name.lower() for name in ids}) == len(prompts)
    assert all(re.fullmatch(r"real-[a-z0-9-]{8,70}", name) for name in ids)


def test_a_prompt_twice_in_a_domain(tmp_path):
    for parent in ("same_domain", "my own"):
        add_entry(tmp_path / parent / "a photo of a cat")
    ids, [line] = check(tmp_path)
    assert "same_domain/a photo of a cat" in line and "my own/a photo of a cat" in line
    assert ids == []


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


@pytest.mark.skipif(not GENUINE.is_dir(), reason="no genuine TF-ICON entries beside the checkout")
def test_genuine_entries():
    entries, problems = scan(GENUINE, decode=True)
    assert Counter(entry.domain for entry in entries) == {"real": 4, "cartoon": 2, "painting": 2, "sketch": 2}
    assert [line.split(":")[0] for line in problems] == ["Real-Real", "Real-Cartoon", "Real-Painting", "Real-Sketch"]
    cases = [load_case(entry, 64) for entry in entries]
    assert {case.domain for case in cases} == set(DOMAINS)
    assert len({case.digest for case in cases}) == 10
    for case in cases:
        assert set(np.unique(case.mask)) == set(np.unique(case.reference_mask)) == {0, 255}
        assert case.reference_mask.size == case.reference.size
        assert case.prompt == case.prompt.strip() and not case.prompt[0].isdigit()


@pytest.mark.skipif(not GENUINE.is_dir(), reason="no genuine TF-ICON entries beside the checkout")
def test_genuine_user_mask_is_one_filled_rectangle():
    for entry in scan(GENUINE, decode=False, expected=None)[0]:
        mask = load_case(entry, 512).mask
        left, top, right, bottom = mask.getbbox()
        assert np.count_nonzero(mask) == (right - left) * (bottom - top)
