"""What is missing is said where a reader looks: failures, columns without a value, pictures of one colour."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from small_gallery import METHODS, RECORDS, data_of, make_case, make_folder, make_scores, paint

from spin_bench.report.about import read_about, write_about
from spin_bench.report.flags import BLACK, PLAIN, flag_of
from spin_bench.report.legend import Row, competing, method_colours
from spin_bench.report.render import render

IMAGES = {"spin": 2, "uni_paint": 2}
CASES = [make_case(i, "real", f"prompt {i}") for i in range(6)]
FAILURE = "no <memory> [left]"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Uni failed at one case, one picture of Spin is black and two are grey, LPIPS has no value."""
    folder = tmp_path_factory.mktemp("missing")
    scores = make_scores(CASES, IMAGES)
    scores.loc[scores["metric"] == "lpips", "value"] = math.nan
    images = {name: range(count) for name, count in IMAGES.items()}
    make_folder(folder, CASES, images, scores, methods={name: METHODS[name] for name in IMAGES})
    noisy = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    paint(folder, CASES, IMAGES)
    for path in folder.glob("images/*/*/*.png"):
        Image.fromarray(noisy).save(path)
    for case, k, grey in ((0, 1, 0), (2, 0, 127), (2, 1, 127)):
        Image.new("RGB", (16, 16), (grey,) * 3).save(folder / "images" / "spin" / CASES[case].id / f"{k}.png")
    failed = CASES[4].id
    about = read_about(folder)
    write_about(
        folder,
        replace(
            about,
            painted={**about.painted, ("uni_paint", failed): ()},
            failures={("uni_paint", failed): FAILURE},
            reasons={"lpips": "missing where nothing changed"},
        ),
    )
    render(folder, width=100)
    return folder


def test_a_column_without_a_value_stays_dashed_with_its_reason(folder: Path):
    text = (folder / "table.md").read_text()
    assert "without any value: LPIPS (missing where nothing changed)" in text
    rows = [line for line in text.splitlines() if line.startswith("| Spin")]
    assert [row.split("|")[3].strip() for row in rows] == ["–"]
    assert "Spin: LPIPS 6" in text and "LPIPS" in (folder / "table.tex").read_text()
    table = pd.read_csv(folder / "table.csv").set_index(["method", "metric"])
    assert table.loc[("spin", "lpips"), ["n", "missing"]].tolist() == [0, 6]


def test_the_page_knows_failures_and_flags_of_every_case(folder: Path):
    data = data_of(folder / "index.html")
    assert [case["failures"] for case in data["cases"]] == [["", FAILURE if i == 4 else ""] for i in range(6)]
    assert [case["flags"][0] for case in data["cases"]] == [{"1": BLACK}, {}, {"0": PLAIN, "1": PLAIN}, {}, {}, {}]
    assert data["subsets"] == ["with a failure", "with a flagged picture"]
    assert [len(case["subsets"]) - 2 for case in data["cases"]] == [1, 0, 1, 0, 1, 0]
    assert "Flagged as black or of one colour: 3 pictures (Spin 3)." in (folder / "table.md").read_text()


def test_only_pictures_of_one_colour_are_flagged(tmp_path: Path):
    path = tmp_path / "picture.png"
    for side in (8, 64, 512):
        dot = Image.new("RGB", (side, side), (9, 9, 9))
        dot.putpixel((3, 5), (9, 9, 10))
        for picture, flag in (
            (Image.new("RGB", (side, side)), BLACK),
            (Image.new("L", (side, side)), BLACK),
            (Image.new("RGB", (side, side), (255, 0, 0)), PLAIN),
            (dot, ""),
            (Image.effect_noise((side, side), 50), ""),
        ):
            for level in (1, 6):
                picture.save(path, compress_level=level)
                assert flag_of(path) == flag, (side, flag)


def test_a_folder_without_failures_and_reasons_is_written_as_before(tmp_path: Path):
    make_folder(tmp_path, CASES, {"spin": [0]}, make_scores(CASES, {"spin": 1}), records=RECORDS)
    before = (tmp_path / "about.json").read_bytes()
    assert b"failures" not in before and b"reasons" not in before
    write_about(tmp_path, read_about(tmp_path))
    assert (tmp_path / "about.json").read_bytes() == before


def test_a_new_method_brings_its_colour_and_says_whether_it_is_a_bound(tmp_path: Path):
    rows = {
        "spin": Row("Spin", "#D55E00"),
        "copy_paste": Row("copy-paste", "#999999", bound=True),
        "newest": Row("Newest", "#123456"),
        "ceiling": Row("ceiling", "#abcdef", bound=True),
        "variant": Row("a variant"),
    }
    results = make_folder(tmp_path, CASES, {"spin": [0]}, make_scores(CASES, {"spin": 1}), methods=rows)
    assert results.about.methods == rows
    content = json.loads((tmp_path / "about.json").read_text())
    assert content["colours"] == {"newest": "#123456", "ceiling": "#abcdef"} and content["bounds"] == ["ceiling"]
    assert method_colours(rows)["newest"] == "#123456" and competing(rows) == ["spin", "newest", "variant"]
