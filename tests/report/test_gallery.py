"""The gallery and the ballot: what their pages hold, and, where Chromium is installed, what they do."""

import math
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from records import rows_of
from small_gallery import (
    IMAGES,
    METHODS,
    NASTY,
    RECORDS,
    data_of,
    gallery_of,
    make_case,
    make_folder,
    make_scores,
    write_results,
)

from spin_bench.core.errors import UserError
from spin_bench.report.ballot import draw_ballot, write_ballot
from spin_bench.report.gallery import FILES
from spin_bench.report.inputs import write_inputs
from spin_bench.report.numbers import numbers_of
from spin_bench.report.overview import overview
from spin_bench.report.render import render


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_results(tmp_path_factory.mktemp("results with a space & a #"))


def test_page_holds_every_score_and_picture(folder: Path):
    data = data_of(folder / "index.html")
    assert [method["name"] for method in data["methods"]] == list(METHODS)
    assert [method["competes"] for method in data["methods"]] == [True, True, False]
    assert [(m["title"], m["better"]) for m in data["metrics"]] == [("CLIP-I", 1), ("LPIPS", -1)]
    assert [case["id"] for case in data["cases"]] == [*(f"real-{i:04d}" for i in range(8)),
                                                      *(f"sketch-{i:04d}" for i in range(8, 12))]  # fmt: skip
    for c, case in enumerate(data["cases"]):
        assert case["images"] == [[0, 1, 2, 3, 4, 5], [0, 1], [0]]
        for m, ks in enumerate(case["images"]):
            for place, k in enumerate(ks):
                assert (folder / "images" / list(METHODS)[m] / case["id"] / f"{k}.png").exists()
                clip, lpips = case["scores"][m][place]
                if (c, m) == (3, 0):
                    assert clip is None and lpips is None  # missing, not NaN, which JSON does not know
                else:
                    base = [0.1 + 0.8 * c / 12, 0.9 - 0.5 * c / 12, 1.0][m] + 0.001 * k
                    assert (clip, lpips) == (pytest.approx(base, abs=1e-5), pytest.approx(base / 2, abs=1e-5))


def test_markup_in_texts_stays_text(folder: Path):
    page = (folder / "index.html").read_text()
    assert data_of(folder / "index.html")["cases"][0]["prompt"] == NASTY
    assert page.count("<b>") == 0 and page.count("<!--") == 0
    assert page.count("<script") == page.count("</script>") == 2  # the data and the program
    assert "&lt;/script&gt;" in page.split("</title>")[0]


@pytest.mark.parametrize("name", ["index.html", "vote.html"])
def test_page_needs_no_network(folder: Path, name: str):
    page = (folder / name).read_text()
    links = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert set(links) <= {"data:,", "vote.html", *FILES}
    assert "http:" not in page and "https:" not in page and "@import" not in page


def test_inputs_are_the_cases_pictures_and_no_older_ones(tmp_path: Path):
    (tmp_path / "inputs" / "gone").mkdir(parents=True)
    (tmp_path / "inputs" / "gone" / "mask.png").touch()
    case = make_case(1, "real", "p")
    large = replace(make_case(2, "real", "p"), reference=Image.new("RGB", (1024, 512)))
    write_inputs(tmp_path / "inputs", [case, large])
    assert {path.parent.name for path in (tmp_path / "inputs").rglob("*.png")} == {case.id, large.id}
    stored = {path.stem: Image.open(path) for path in (tmp_path / "inputs" / case.id).iterdir()}
    assert np.array_equal(np.asarray(stored["background"]), np.asarray(case.background))
    assert np.array_equal(np.asarray(stored["mask"]), np.asarray(case.mask))
    assert np.array_equal(np.asarray(stored["reference"]), np.asarray(case.reference))
    assert Image.open(tmp_path / "inputs" / large.id / "reference.png").size == (256, 128)


def test_same_run_gives_the_same_page_and_favourites_come_first(tmp_path: Path):
    case = make_case(1, "real", "p")
    scores = make_scores([case], {"spin": 3})
    pages = [
        gallery_of(make_folder(tmp_path / name, [case], {"spin": ks}, frame, methods=rows_of(spin="Spin")))
        for name, ks, frame in (("a", (0, 1, 2), scores), ("b", (0, 1, 2), scores.iloc[::-1]), ("c", (2, 0, 1), scores))
    ]
    assert pages[0].read_bytes() == pages[1].read_bytes()
    shown = data_of(pages[2])["cases"][0]
    assert shown["images"] == [[2, 0, 1]] and shown["scores"][0][0][0] == pytest.approx(0.102)


def test_nothing_to_show_is_one_line(tmp_path: Path):
    case = make_case(1, "real", "p")
    scores = make_scores([case], {"spin": 1})
    empty = make_folder(tmp_path / "none", [], {"spin": [0]}, scores)
    with pytest.raises(UserError, match="no cases to show"):
        render(empty.folder, width=80)
    with pytest.raises(UserError, match="needs two methods"):
        write_ballot(make_folder(tmp_path / "one", [case], {"spin": [0], "oracle": [0]}, scores))
    with pytest.raises(UserError, match=r"no case in .* has pictures of two"):
        write_ballot(make_folder(tmp_path / "failed", [case], {"spin": [0], "uni_paint": []}, scores))


def test_overview_draws_each_interval_to_its_column(folder: Path):
    sheet = numbers_of(
        make_scores([make_case(i, "real", "p") for i in range(8)], IMAGES),
        methods=METHODS, records=RECORDS, title="t", notes=[],
    ).sheet  # fmt: skip
    costs = pd.DataFrame({"method": ["spin"], "images": [1], "seconds_per_image": [1.25], "peak_memory_mb": [math.nan]})
    found = overview(sheet, costs)
    assert [row["seconds"] for row in found["rows"]] == ["1.25", "–", "–"] and not found["memory_known"]
    for i, metric in enumerate(RECORDS):
        ends = [value for name in METHODS for value in sheet.cells[name, metric]]
        for row in found["rows"]:
            cell, (mean, lo, hi) = row["cells"][i], sheet.cells[row["name"], metric]
            places = [100 * (value - min(ends)) / (max(ends) - min(ends)) for value in (mean, lo, hi)]
            assert [cell["at"], cell["lo"], cell["hi"]] == pytest.approx(places, abs=0.01)
            assert cell["best"] == ((row["name"], metric) in sheet.best)


def test_ballot_is_balanced_and_never_asks_twice():
    painted = {(method, f"c{i}"): [0] for method in ("a", "b", "c") for i in range(40)}
    painted["c", "c7"] = []  # failed
    asked = draw_ballot(painted, questions=90, seed=1)
    pairs = [frozenset(pair) for pair in zip(asked["left"], asked["right"], strict=True)]
    assert set(Counter(pairs).values()) == {30}
    assert len(set(zip(asked["case"], pairs, strict=True))) == 90
    assert not any(case == "c7" and "c" in pair for case, pair in zip(asked["case"], pairs, strict=True))
    sides = Counter(asked["left"])
    assert all(15 <= sides[method] <= 45 for method in "abc")  # of 60 questions each
    pd.testing.assert_frame_equal(draw_ballot(painted, questions=90, seed=1), asked)
    assert not draw_ballot(painted, questions=90, seed=2).equals(asked)
    assert len(draw_ballot(painted, questions=10_000, seed=1)) == 40 + 39 + 39
