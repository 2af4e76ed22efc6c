"""Ladders of known faults, and the matrix that judges metrics by them, against closed forms."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image, ImageChops, ImageStat
from skimage.color import deltaE_cie76, rgb2lab

from spin_bench.core.case import Case
from spin_bench.core.errors import UserError
from spin_bench.metrics.metric import Metric
from spin_bench.metrics.validation.degradations import LADDERS, SEVERITIES, Ladder, scene_of
from spin_bench.metrics.validation.evidence import FILES, failing, save
from spin_bench.metrics.validation.ladders import MATRIX, VALUES, matrix, measure
from spin_bench.mini.world import paint
from spin_bench.models.stack import Stack

LAST = SEVERITIES - 1


def _distance(a: Image.Image, b: Image.Image, mask: Image.Image | None = None) -> float:
    """Root mean squared difference of grey levels, over `mask` where given."""
    return float(np.mean(ImageStat.Stat(ImageChops.difference(a, b), mask).rms))


@pytest.mark.parametrize("ladder", LADDERS.values(), ids=LADDERS)
def test_a_ladder_starts_at_the_truth_and_leads_away_from_it_inside_the_mask(ladder: Ladder, cases: list[Case]):
    assert len(ladder.levels) == SEVERITIES and sorted(set(ladder.levels)) == list(ladder.levels)
    for case in cases[:2]:
        rungs = [ladder.paint(case, severity) for severity in range(SEVERITIES)]
        assert np.array_equal(rungs[0], case.truth)
        away = [_distance(rung, case.truth) for rung in rungs]
        assert away == sorted(set(away)) or ladder.name == "shifted"  # texture repeats itself
        assert away[LAST] > 1
        outside = case.mask.point(lambda level: 255 - level)
        kept, side = (case.truth, case.mask) if ladder.outside else (case.background, outside)
        assert all(_distance(rung, kept, side) == 0 for rung in rungs)
        assert np.array_equal(rungs[LAST], ladder.paint(case, LAST))


def test_the_ends_of_ladders_are_what_their_names_say(cases: list[Case]):
    case = cases[0]
    left, top, right, bottom = case.box
    assert np.array_equal(LADDERS["untouched"].paint(case, LAST), case.background)
    pasted = LADDERS["copy_paste"].paint(case, LAST).crop(case.box)
    reference = case.reference.resize((right - left, bottom - top), Image.Resampling.LANCZOS)
    assert np.array_equal(pasted, reference)
    feathered = LADDERS["feathered_paste"].paint(case, LAST)
    middle = ((left + right) // 2, (top + bottom) // 2)
    assert feathered.getpixel(middle) == pasted.getpixel((middle[0] - left, middle[1] - top))
    corner = (left, top) if left and top else (right - 1, bottom - 1)
    seams = [np.subtract(rung.getpixel(corner), case.truth.getpixel(corner), dtype=float)
             for rung in (feathered, LADDERS["copy_paste"].paint(case, LAST))]  # fmt: skip
    assert np.abs(seams[0] - seams[1] / 8).max() <= 1  # one of eight pixels into the feather


def test_a_colour_shift_has_its_length_in_cielab(cases: list[Case]):
    grey = Image.new("RGB", (64, 64), (128, 128, 128))
    case = replace(cases[0], truth=grey, background=grey)
    shifted = LADDERS["colour_shift"]
    for severity in range(SEVERITIES):
        pixel = np.array(shifted.paint(case, severity))[case.box[1], case.box[0]] / 255
        found = deltaE_cie76(rgb2lab(pixel), rgb2lab(np.full(3, 128 / 255)))
        if severity < LAST:
            assert found == pytest.approx(shifted.levels[severity], abs=0.5)  # 8-bit levels
    assert shifted.levels[LAST - 1] < found <= shifted.levels[LAST]  # this hue leaves sRGB on the way


def test_a_poisson_blend_has_no_seam_where_a_paste_has_one(cases: list[Case]):
    for case in cases:
        left, top, right, bottom = case.box
        row = slice(top + 2, bottom - 2)
        column = left if left else right - 1
        beyond = column - 1 if left else right
        steps = [
            np.abs(np.subtract(picture[row, column], picture[row, beyond], dtype=float)).mean()
            for picture in (np.array(LADDERS[name].paint(case, LAST)) for name in ("poisson", "copy_paste"))
        ]
        assert steps[0] < 0.5 * steps[1]


def test_the_scene_of_a_case_is_the_one_it_was_painted_from(cases: list[Case]):
    for case in cases:
        scene = scene_of(case)
        assert scene.domain == case.domain and scene.objects[-1].instance.noun == case.subject
        assert np.array_equal(Image.fromarray(paint(scene)).crop(case.box), case.truth.crop(case.box))


def test_cases_without_truth_or_scene_are_refused(cases: list[Case]):
    with pytest.raises(UserError, match="no true composite"):
        LADDERS["blurred"].paint(replace(cases[0], truth=None), 1)
    elsewhere = replace(cases[0], background=cases[1].background)
    for foreign in (elsewhere, replace(cases[0], id="real-a-cat-1234"), replace(cases[0], id="poster-0001")):
        with pytest.raises(UserError, match="not of the embedded benchmark"):
            LADDERS["wrong_hue"].paint(foreign, 1)
        assert not LADDERS["blurred"].embedded and LADDERS["blurred"].paint(foreign, 1).size == (64, 64)


def _metric(**changes) -> Metric:
    facts = {"name": "a", "title": "A", "higher_is_better": False, "range": (0.0, 2.0), "claims": ("steep",)}
    brightness = {"compares": "nothing", "compute": lambda batch: batch.images.mean((1, 2, 3))}
    return Metric(**{**facts, **brightness, **changes})


def _values(courses: dict[str, list[list[float]]]) -> pd.DataFrame:
    rows = [
        ("a", ladder, severity, f"case-{i}", value)
        for ladder, cases in courses.items()
        for i, course in enumerate(cases)
        for severity, value in enumerate(course)
    ]
    return pd.DataFrame(rows, columns=VALUES)


def test_the_matrix_of_known_courses():
    courses = {
        "steep": [[0, 1, 2, 3, 4], [4, 5, 6, 8, 7]],
        "flat": [[0.1, 0.1, 0.2, 0.1, 0.1], [0, 0, 0.2, 0, 0]],
        "gap": [[1, 1, 1, 1, 1], [1, np.nan, 1, 1, 1]],
    }
    table = matrix(_values(courses), [_metric()])
    assert list(table.columns) == MATRIX
    steep, flat, gap = (table[table["ladder"] == name].iloc[0] for name in courses)
    # means 2, 3, 4, 5.5, 5.5: the last two share a rank
    assert steep["order"] == pytest.approx(np.corrcoef(range(5), [0, 1, 2, 3.5, 3.5])[0, 1])
    assert steep["order_of_cases"] == pytest.approx((1 + 0.9) / 2)
    assert steep["fall"] == pytest.approx(3.5 / 2) and steep["claimed"] and steep["passes"]
    assert flat["fall"] == 0 and flat["drift"] == pytest.approx(0.15 / 2) and flat["passes"] and not flat["claimed"]
    assert (gap["n"], gap["missing"], gap["order"], gap["drift"]) == (1, 1, 0, 0)
    flipped = matrix(_values(courses), [_metric(higher_is_better=True)])
    assert flipped["order"].iloc[0] == pytest.approx(-steep["order"]) and not flipped["passes"].iloc[0]
    strict = matrix(_values(courses), [_metric(range=(0.0, 1.0), claims=("flat",))])
    assert not strict["passes"].iloc[0] and not strict["passes"].iloc[1]


def test_the_span_is_that_of_the_metrics_largest_drift():
    table = matrix(_values({"steep": [[0, 1, 2, 3, 4]], "flat": [[0, 0, 1, 0, 0]]}), [_metric()])
    assert table["drift"].tolist() == [2, 0.5] and table["of_span"].tolist() == [1, 0.25]


def test_measuring_gives_every_rung_and_saving_every_file(stack: Stack, cases: list[Case], tmp_path: Path):
    chosen = [LADDERS["untouched"], LADDERS["hard_edge"]]
    brightness = _metric(claims=("untouched",))
    values = pd.concat(measure([brightness], chosen, cases[:2], stack))
    assert len(values) == len(chosen) * SEVERITIES * 2 and not values.duplicated(VALUES[:4]).any()
    for case in cases[:2]:
        own = values[(values["case"] == case.id) & (values["ladder"] == "untouched")].set_index("severity")["value"]
        ends = [torch.tensor(np.array(p)).float().mean().item() / 127.5 - 1 for p in (case.truth, case.background)]
        assert own.loc[[0, LAST]].tolist() == pytest.approx(ends, abs=1e-5)
    table = matrix(values, [brightness])
    paths = save(values, table, ["a"], tmp_path / "out", title="Ladders")
    assert tuple(path.name for path in paths) == FILES
    assert pd.read_csv(tmp_path / "out" / "matrix.csv")["passes"].tolist() == table["passes"].tolist()
    verdict = json.loads((tmp_path / "out" / "matrix.json").read_text())
    assert verdict["cases"] == 2 and verdict["metrics"]["a"]["passes"] == table["passes"].all()
    page = (tmp_path / "out" / "matrix.md").read_text()
    assert page.startswith("# Ladders\n") and "| `a` | main | untouched |" in page
    assert Image.open(tmp_path / "out" / "matrix.png").size[0] > 300
    again = save(values, table, ["a"], tmp_path / "again", title="Ladders")
    assert [path.read_bytes() for path in paths] == [path.read_bytes() for path in again]


def test_a_broken_promise_is_named_with_its_ladders():
    falling, rising = {"steep": [[0, 1, 2, 3, 4]]}, {"steep": [[4, 3, 2, 1, 0]], "flat": [[0, 0, 0, 0, 1]]}
    assert failing(matrix(_values(falling), [_metric()]), ["a"]) == []
    table = matrix(_values(rising), [_metric()])
    assert failing(table, ["a"]) == ["a (steep, flat)"] and failing(table, ["b"]) == []
