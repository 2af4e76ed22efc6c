"""The gallery and the ballot: what their pages hold, and, where Chromium is installed, what they do."""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from small_gallery import METHODS, NASTY, RECORDS, data_of, make_case, make_scores, paint, write_results

from spin_bench.errors import UserError
from spin_bench.report.ballot import draw_ballot, write_ballot
from spin_bench.report.gallery import find_painted, write_gallery


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


@pytest.mark.parametrize("name", ["index.html", "votes.html"])
def test_page_needs_no_network(folder: Path, name: str):
    page = (folder / name).read_text()
    links = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert set(links) <= {"data:,", "votes.html"}
    assert "http:" not in page and "https:" not in page and "@import" not in page


def test_inputs_are_the_cases_pictures_and_no_older_ones(tmp_path: Path):
    (tmp_path / "inputs" / "gone").mkdir(parents=True)
    case = make_case(1, "real", "p")
    write_gallery(tmp_path, cases=[case], scores=make_scores([case], {}), methods=METHODS, records=RECORDS, title="t")
    assert [path.name for path in (tmp_path / "inputs").iterdir()] == [case.id]
    stored = {path.stem: Image.open(path) for path in (tmp_path / "inputs" / case.id).iterdir()}
    assert np.array_equal(np.asarray(stored["background"]), np.asarray(case.background))
    assert np.array_equal(np.asarray(stored["mask"]), np.asarray(case.mask))
    assert stored["reference"].size == (16, 8)  # no larger than the canvas
    assert data_of(tmp_path / "index.html")["cases"][0]["images"] == [[], [], []]


def test_same_run_gives_the_same_page_and_favourites_come_first(tmp_path: Path):
    case = make_case(1, "real", "p")
    paint(tmp_path, [case], {"spin": 3})
    found = find_painted(tmp_path, methods=["spin"], cases=[case.id])
    assert found == {("spin", case.id): [0, 1, 2]}
    arguments = {"cases": [case], "methods": {"spin": "Spin"}, "records": RECORDS, "title": "t"}
    scores = make_scores([case], {"spin": 3})
    first = write_gallery(tmp_path, scores=scores, **arguments).read_bytes()
    assert write_gallery(tmp_path, scores=scores.iloc[::-1], **arguments).read_bytes() == first
    page = write_gallery(tmp_path, scores=scores, painted={("spin", case.id): [2, 0, 1]}, **arguments)
    shown = data_of(page)["cases"][0]
    assert shown["images"] == [[2, 0, 1]] and shown["scores"][0][0][0] == pytest.approx(0.102)


def test_nothing_to_show_is_one_line(tmp_path: Path):
    with pytest.raises(UserError, match="no cases to show"):
        write_gallery(tmp_path, cases=[], scores=make_scores([], {}), methods=METHODS, records=RECORDS, title="t")
    case = make_case(1, "real", "p")
    with pytest.raises(UserError, match="needs two methods"):
        write_ballot(tmp_path, cases=[case], methods={"spin": "Spin"}, title="t")
    with pytest.raises(UserError, match=r"no case in .* has pictures of two"):
        write_ballot(tmp_path, cases=[case], methods=METHODS, title="t")


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
