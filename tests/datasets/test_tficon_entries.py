"""Each defect of an entry has its line, and each line names its entry."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from tficon_folder import CAT, SIDE, add_entry, box_mask, check, only_entry, picture

from spin_bench.core.errors import UserError
from spin_bench.datasets.entry import Facts
from spin_bench.datasets.tficon import load_case, scan


@pytest.mark.parametrize("decode", [False, True])
def test_sound_entries_have_no_problems(root, decode):
    assert check(root, decode=decode, expected={"real": 1, "sketch": 1}) == (["real-0001", "sketch-0007"], [])
    cat, dog = scan(root).entries
    assert (cat.id, cat.domain, cat.index, cat.prompt) == ("real-0001", "real", "0001", "a photograph of a cat")
    assert (dog.id, dog.domain) == ("sketch-0007", "sketch")
    assert [path.name for path in (cat.background, cat.mask, cat.reference, cat.reference_mask)] == [
        "bg36.png",
        "mask_bg_fg.jpg",
        "fg88_63d9d508b82cf5cb1db01976.jpg",
        "fg88_mask.png",
    ]
    assert (cat.truth, cat.facts) == (None, Facts())


def test_entries_are_sorted_by_domain_then_index(root):
    for name in ("Real-Sketch/0000 x", "Real-Painting/0003 x", "Real-Cartoon/0002 x", "Real-Real/0000 x"):
        add_entry(root / name)
    ids, _ = check(root)
    assert ids == ["real-0000", "real-0001", "cartoon-0002", "painting-0003", "sketch-0000", "sketch-0007"]


def test_stray_spaces_around_the_prompt_go(root):
    add_entry(root / "Real-Real/0123  a professional  photo ")
    prompts = {entry.id: entry.prompt for entry in scan(root).entries}
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
    picture(seed=3).save(root / CAT / "true_bg_fg.png")
    entry = only_entry(root)
    case = load_case(entry, SIDE)
    assert (entry.facts, case.subject, case.novel) == (Facts("cat", True), "cat", True)
    assert (case.truth.size, case.truth.mode) == ((SIDE, SIDE), "RGB")


MALFORMED = ["{", "[]", '{"subject": 3}', '{"novel": "no"}', "\udcff", '{"subject": "\\ud800"}', "[" * 100_000]


@pytest.mark.parametrize("text", MALFORMED, ids=range(len(MALFORMED)))
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


@pytest.mark.parametrize(("width", "height"), [(SIDE, 24), (24, SIDE), (64, 63)])
def test_a_background_that_is_not_square_is_refused_and_never_squashed(root, width, height):
    picture(width, height).save(root / CAT / "bg36.png")
    box_mask(width, height).save(root / CAT / "mask_bg_fg.jpg")
    ids, [line] = check(root)
    assert line.startswith(f"{CAT}/bg36.png: wrong size {width}x{height}, not square")
    assert ids == ["sketch-0007"]
    with pytest.raises(UserError, match=f"bg36.png: wrong size {width}x{height}"):
        load_case(only_entry(root), SIDE)


def test_any_square_background_will_do(root):
    picture(64, 64).save(root / CAT / "bg36.png")
    box_mask(64, 64, box=(16, 16, 48, 40)).save(root / CAT / "mask_bg_fg.jpg")
    assert check(root) == (["real-0001", "sketch-0007"], [])
    assert load_case(only_entry(root), SIDE).background.size == (SIDE, SIDE)


@pytest.mark.parametrize("name", ["mask_bg_fg.jpg", "true_bg_fg.png"])
def test_picture_of_another_size_than_the_background(root, name):
    box_mask(64, 64).save(root / CAT / name)
    ids, [line] = check(root)
    assert line.startswith(f"{CAT}/{name}: wrong size 64x64, expected {SIDE}x{SIDE}")
    assert ids == ["sketch-0007"]
    with pytest.raises(UserError, match=f"{name}: wrong size 64x64"):
        load_case(only_entry(root), SIDE)


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
