"""Tables of a part of the cases: which parts there are, and that each is the table of a run of these cases alone."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_gallery import IMAGES, METHODS, RECORDS, make_case, make_folder, make_scores, paint

from spin_bench.report.about import AboutCase
from spin_bench.report.numbers import numbers_of
from spin_bench.report.render import render
from spin_bench.report.subsets import SEEN, UNSEEN, numbers_of_subsets, subsets


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight photographs, three of them of unseen objects, and six sketches, four of them so."""
    folder = tmp_path_factory.mktemp("results")
    cases = [make_case(i, "real" if i < 8 else "sketch", "p", novel=i < 3 or i > 9) for i in range(14)]
    paint(folder, cases, IMAGES)
    images = {method: range(count) for method, count in IMAGES.items()}
    make_folder(folder, cases, images, make_scores(cases, IMAGES))
    render(folder, width=120)
    return folder


def test_a_case_is_in_its_domain_and_its_object_seen_or_not():
    cases = make_about([("real", False), ("real", True), ("sketch", False)])
    assert subsets(cases) == {
        SEEN: {"c0", "c2"}, UNSEEN: {"c1"}, "real": {"c0", "c1"}, "sketch": {"c2"},
    }  # fmt: skip
    assert subsets(make_about([("real", False), ("real", False)])) == {}  # each would repeat the whole


def test_a_subset_has_the_table_of_its_cases_alone(folder: Path):
    scores = pd.read_parquet(folder / "scores.parquet")
    table = pd.read_csv(folder / "subsets.csv")
    pairs = pd.read_csv(folder / "subsets_paired.csv")
    number = scores["case"].str[-4:].astype(int)
    chosen = {SEEN: number.between(3, 9), UNSEEN: ~number.between(3, 9), "real": number < 8, "sketch": number >= 8}
    assert set(table["subset"]) == set(pairs["subset"]) == set(chosen)
    for name, rows in chosen.items():
        alone = numbers_of(scores[rows], methods=METHODS, records=RECORDS, title=name, notes=())
        for written, own in ((table, alone.summary), (pairs, alone.pairs)):
            of_subset = written[written["subset"] == name].drop(columns="subset")
            assert len(of_subset) == len(own)
            for column in own.select_dtypes("number"):
                assert np.allclose(of_subset[column], own[column], atol=1e-6, equal_nan=True)


def test_the_markdown_has_a_section_a_subset(folder: Path):
    sections = (folder / "table.md").read_text().split("\n## ")
    assert [section.splitlines()[0] for section in sections[1:]] == [SEEN, "real", "sketch", UNSEEN]
    assert "n = 7 cases (real 3, sketch 4)" in sections[4] and sections[4].count("\n| ") == 2 + len(METHODS)


def test_too_few_cases_have_no_table(tmp_path: Path):
    cases = [make_case(i, "real", "p", novel=i < 5) for i in range(11)]
    results = make_folder(tmp_path, cases, {m: range(n) for m, n in IMAGES.items()}, make_scores(cases, IMAGES))
    assert list(numbers_of_subsets(results)) == [SEEN]


def test_a_domain_that_is_not_painted_yet_has_no_table(tmp_path: Path):
    cases = [make_case(i, "real" if i < 7 else "sketch", "p") for i in range(14)]
    images = {method: range(count) for method, count in IMAGES.items()}
    results = make_folder(tmp_path, cases, images, make_scores(cases[:7], IMAGES))
    assert list(numbers_of_subsets(results)) == ["real"]


def make_about(facts: list[tuple[str, bool]]) -> list[AboutCase]:
    return [AboutCase(f"c{i}", domain, "p", novel) for i, (domain, novel) in enumerate(facts)]
