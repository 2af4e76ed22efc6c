"""The layouts of the benchmark: domains, indices, counts, folders."""

import re
import shutil
from pathlib import Path

import pytest
from tficon_folder import CAT, DOG, SIDE, add_entry, box_mask, check, picture

from spin_bench.core.errors import UserError
from spin_bench.datasets.tficon import load_case, scan


def test_unknown_domain_is_named_with_the_nearest_known(root):
    add_entry(root / "Real-Cartoons/0001 a cartoon animation of a cat")
    ids, [line] = check(root)
    assert line.startswith("unknown domain 'Real-Cartoons': did you mean 'Real-Cartoon'?")
    assert ids == ["real-0001", "sketch-0007"]


@pytest.mark.parametrize("wrapper", ["TF_ICON", "unpacked/TF_ICON"])
def test_a_benchmark_nested_too_deep_is_recognised_and_named(root, tmp_path, wrapper):
    add_entry(root / wrapper / CAT)
    _, [line] = check(root)
    assert line == f"{root / wrapper}: a benchmark one folder too deep; set dataset.root to it"
    shutil.rmtree(root / "Real-Real")
    shutil.rmtree(root / "Real-Sketch")
    with pytest.raises(UserError, match=f"no entries under .*{wrapper}: a benchmark one folder too deep"):
        scan(root)


@pytest.mark.parametrize(
    "name", ["@eaDir", "$RECYCLE.BIN", "lost+found", ".ipynb_checkpoints", "__MACOSX", ".DS_Store"]
)
def test_folders_of_the_system_are_ignored(root, name):
    for parent in (root, root / "Real-Real"):
        (parent / name / CAT).mkdir(parents=True)
    assert check(root) == (["real-0001", "sketch-0007"], [])


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
    [line] = problems
    assert line.startswith("warning: 2 entries, the release has 6 (cartoon 0 of 2, sketch 1 of 3); complete")


def test_counts_of_the_release_by_default(root):
    [line] = scan(root).problems
    assert [int(number) for number in re.findall(r"of (\d+)", line)] == [237, 27, 37, 31]
    assert "2 entries, the release has 332" in line


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
        "2 entries, the release has 3 (real 1 of 2)",
    ):
        assert text.count(part) == 1
    assert len(problems) == 6


@pytest.mark.parametrize("make", [lambda root: None, lambda root: root.mkdir(), lambda root: root.write_text("file")])
def test_missing_or_empty_root(tmp_path, make):
    root = tmp_path / "benchmark"
    make(root)
    with pytest.raises(UserError, match=str(root)) as caught:
        scan(root)
    assert "\n" not in str(caught.value)


def test_a_domain_given_as_root(root):
    with pytest.raises(UserError, match=f"one domain of a benchmark; set dataset.root to {root}$"):
        scan(root / "Real-Real")


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
    entries = scan(tmp_path).entries
    assert check(tmp_path) == ([entry.id for entry in entries], [])
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
    ids = [entry.id for entry in scan(tmp_path).entries]
    assert len({name.lower() for name in ids}) == len(prompts)
    assert all(re.fullmatch(r"real-[a-z0-9-]{8,70}", name) for name in ids)


def test_a_prompt_twice_in_a_domain(tmp_path):
    for parent in ("same_domain", "my own"):
        add_entry(tmp_path / parent / "a photo of a cat")
    ids, [line] = check(tmp_path)
    assert "same_domain/a photo of a cat" in line and "my own/a photo of a cat" in line
    assert ids == []
