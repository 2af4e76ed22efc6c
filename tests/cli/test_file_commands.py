"""The commands over files that are there: report, diff, votes, sweep, on folders without a store or a model."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from records import rows_of
from small_gallery import IMAGES, METHODS, PROVENANCE, make_case, make_folder, make_scores, paint

from spin_bench.cli.main import main
from spin_bench.report.difference import differing, moves
from spin_bench.report.render import render
from spin_bench.report.results import Results, read_results
from spin_bench.report.sweep import find_results, sweep_points, swept

CASES = [make_case(i, "real", f"prompt {i}") for i in range(8)]


def results(folder: Path, *, shift: float = 0.0, provenance: dict[str, Any] | None = None, cases: int = 8) -> Results:
    """8 cases; `shift` is added to Spin's CLIP-I."""
    scores = make_scores(CASES[:cases], IMAGES)
    scores.loc[(scores["method"] == "spin") & (scores["metric"] == "clip_i"), "value"] += shift
    images = {method: range(count) for method, count in IMAGES.items()}
    return make_folder(folder, CASES[:cases], images, scores, provenance=provenance or PROVENANCE)


def changed(**settings: Any) -> dict[str, Any]:
    """The provenance with other settings of Spin."""
    copied = copy.deepcopy(PROVENANCE)
    copied["methods"]["spin"]["settings"] |= settings
    return copied


@pytest.fixture(autouse=True)
def _wide_terminal(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "160")


def words_of(capsys: pytest.CaptureFixture) -> str:
    return " ".join(capsys.readouterr().out.split())


def test_report_needs_the_folder_alone_and_repeats_its_bytes(tmp_path: Path, capsys: pytest.CaptureFixture):
    folder = tmp_path / "a"
    results(folder)
    paint(folder, CASES, IMAGES)
    render(folder, width=100)
    made = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for path in (*folder.glob("table.*"), *folder.glob("*.html"), folder / "grid.png", *folder.glob("figures/*")):
        path.unlink()
    (folder / "figures" / "of_an_older_run.pdf").write_text("old")
    assert main(["report", str(folder)]) == 0
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == made
    shown = words_of(capsys)
    assert "CLIP-I" in shown and "index.html" in shown
    assert {"index.html", "vote.html", "table.tex", "grid.png"} <= {path.name for path in made}


def test_a_folder_without_its_pictures_is_not_drawn_over(tmp_path: Path, capsys: pytest.CaptureFixture):
    results(tmp_path / "a")
    before = sorted(path for path in tmp_path.rglob("*"))
    assert main(["report", str(tmp_path / "a")]) == 2
    first = f"images/spin/{CASES[0].id}/0.png"
    assert f"lacks {8 * 9} pictures, the first {first}: run its experiment again" in capsys.readouterr().err
    assert sorted(path for path in tmp_path.rglob("*")) == before


@pytest.mark.parametrize("broken", ["scores.parquet", "cost.csv", "provenance.json", "about.json"])
def test_a_broken_folder_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture, broken: str):
    results(tmp_path / "a")
    (tmp_path / "a" / broken).write_text("{not what it was")
    assert main(["report", str(tmp_path / "a")]) == 2
    error = capsys.readouterr().err.strip()
    assert (
        error.startswith(f"spin-bench: {tmp_path / 'a' / broken} cannot be read (")
        and "run its experiment again" in error
    )
    assert "\n" not in error


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["report"], "takes results folders"),
        (["report", "nowhere"], "nowhere is no results folder"),
        (["diff", "a"], "takes two results folders, not 1"),
        (["diff", "nowhere", "else"], "nowhere is no results folder"),
        (["votes"], "takes the CSV files"),
        (["sweep", "nowhere"], "needs two results folders or more, 0 found in nowhere"),
        (["reprot"], "unknown command 'reprot': did you mean 'report'"),
    ],
)
def test_wrong_words_are_one_line(capsys: pytest.CaptureFixture, words: list[str], message: str):
    assert main(words) == 2
    error = capsys.readouterr().err.strip()
    assert message in error and "\n" not in error


def test_diff_names_settings_versions_weights_and_what_moved(tmp_path: Path, capsys: pytest.CaptureFixture):
    other = changed(guidance_scale=3.0)
    other["packages"] = {**other["packages"], "torch": "2.9.9", "timm": "1.0"}
    other["weights"] = {"unet": {"model.safetensors": "beef"}}
    results(tmp_path / "a")
    results(tmp_path / "b", shift=5.0, provenance=other)
    assert main(["diff", str(tmp_path / "a"), str(tmp_path / "b")]) == 0
    shown = words_of(capsys)
    for line in ("spin.settings.guidance_scale │ 7.5 │ 3.0", "torch │ 2.13.0 │ 2.9.9", "timm │ none │ 1.0",
                 "unet.model.safetensors │ none │ beef"):  # fmt: skip
        assert line in shown, line
    assert "uni_paint" not in shown and "started" not in shown
    assert "1 of 6 numbers moved beyond their intervals, 0 within, 5 are equal." in shown
    assert "5.000 [5.000, 5.000] │ 8" in shown


def test_diff_of_a_folder_with_itself_is_nothing(tmp_path: Path, capsys: pytest.CaptureFixture):
    results(tmp_path / "a")
    assert main(["diff", str(tmp_path / "a"), str(tmp_path / "a")]) == 0
    shown = words_of(capsys)
    assert "Made with the same code, settings, weights and packages." in shown
    assert "0 of 6 numbers moved beyond their intervals, 0 within, 6 are equal." in shown


def test_a_number_moved_where_each_mean_leaves_the_other_interval(tmp_path: Path):
    a = results(tmp_path / "a")
    for shift, moved in ((0.01, False), (0.5, True), (-0.5, True)):
        b = results(tmp_path / f"b{shift}", shift=shift, cases=6)
        table = moves(a, b).set_index(["method", "metric"])
        row = table.loc["spin", "clip_i"]
        assert row["moved"] == moved
        assert row["moved"] == (not row["lo_a"] <= row["mean_b"] <= row["hi_a"])
        assert row["diff"] == pytest.approx(shift + 0.8 * np.mean([c / 6 - c / 8 for c in range(6)])) and row["n"] == 6
    assert differing(a.provenance, a.provenance) == {}


def test_a_method_of_one_side_is_named_once(tmp_path: Path, capsys: pytest.CaptureFixture):
    fewer = copy.deepcopy(PROVENANCE)
    del fewer["methods"]["uni_paint"]
    names = {name: title for name, title in METHODS.items() if name != "uni_paint"}
    images = {name: range(IMAGES[name]) for name in names}
    results(tmp_path / "a")
    scores = make_scores(CASES, {name: IMAGES[name] for name in names})
    make_folder(tmp_path / "b", CASES, images, scores, methods=names, provenance=fewer)
    assert main(["diff", str(tmp_path / "a"), str(tmp_path / "b")]) == 0
    shown = words_of(capsys)
    assert "Only in A: Uni" in shown and "uni_paint" not in shown and "4 numbers" in shown


def write_votes(path: Path, rows: list[tuple[str, str, str, str]]) -> str:
    pd.DataFrame(rows, columns=["case", "left", "right", "winner"]).to_csv(path, index=False)
    return str(path)


def test_votes_of_several_voters_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture):
    one = write_votes(tmp_path / "1.csv", [(f"c{i}", "spin", "uni_paint", "spin") for i in range(6)])
    two = write_votes(
        tmp_path / "2.csv", [("c1", "uni_paint", "spin", "uni_paint"), ("c2", "uni_paint", "spin", "tie")]
    )
    assert main(["votes", one, two]) == 0
    shown = words_of(capsys)
    assert "8 votes on 6 cases" in shown
    assert shown.index("Spin") < shown.index("Uni ") and "81 %" in shown  # 6.5 of 8


def test_votes_with_an_unknown_method_are_refused_unless_its_results_are_there(
    tmp_path: Path, capsys: pytest.CaptureFixture
):
    votes = write_votes(tmp_path / "v.csv", [("c1", "spin", "no_filter", "spin"), ("c2", "spin", "no_filter", "tie")])
    assert main(["votes", votes]) == 2
    error = capsys.readouterr().err.strip()
    assert f"unknown method in {votes} 'no_filter'" in error and "known are spin" in error and "\n" not in error
    names = rows_of(spin="Spin", no_filter="no filter")
    scores = make_scores(CASES, {"spin": 1})
    make_folder(tmp_path / "r", CASES, {"spin": [0], "no_filter": [0]}, scores, methods=names)
    assert main(["votes", votes, str(tmp_path / "r")]) == 0
    assert "no filter" in words_of(capsys)


def sweep(tmp_path: Path) -> Path:
    for value, shift in ((7.5, 0.2), (1.0, 0.0), (3.0, 0.4)):
        results(tmp_path / "s" / f"guidance_{value}", shift=shift, provenance=changed(guidance_scale=value))
    return tmp_path / "s"


def test_sweep_finds_its_setting_and_its_means(tmp_path: Path, capsys: pytest.CaptureFixture):
    folder = sweep(tmp_path)
    found = find_results([folder])
    name, values = swept(found)
    assert name == "guidance_scale" and sorted(values.values()) == [1.0, 3.0, 7.5]
    assert {method for _, method in values} == {"spin"}  # the others are the same everywhere
    points = sweep_points(found, values)
    spin = points[points["metric"] == "clip_i"]
    assert spin["setting"].tolist() == [1.0, 3.0, 7.5]
    start = 0.1 + 0.8 * 3.5 / 8 + 0.0025
    assert spin["mean"].tolist() == pytest.approx([start, start + 0.4, start + 0.2])
    assert (spin["lo"] < spin["mean"]).all() and (spin["n"] == 8).all()
    assert main(["sweep", str(folder)]) == 0
    shown = words_of(capsys)
    assert "Sweep of guidance_scale" in shown and "INFO" not in shown
    files = {"points.csv", "table.md", "figures/clip_i.png", "figures/clip_i.pdf"}
    apart = folder / "sweep_guidance_scale"
    assert {path.relative_to(apart).as_posix() for path in apart.rglob("*.*")} == files
    (folder / "sweep.json").write_text("{}")  # of a sweep: these are its jobs
    assert main(["sweep", str(folder)]) == 0
    for name in files:
        assert (folder / name).read_bytes() == (apart / name).read_bytes()


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({}, "no setting of a method differs"),
        (
            {"guidance_scale": 3.0, "embedding": {"iterations": 1}},
            "they differ in embedding.iterations, guidance_scale",
        ),
        ({"guidance_scale": "high"}, "guidance_scale=high is no number"),
    ],
)
def test_what_is_no_sweep_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture, other: dict[str, Any], message: str
):
    results(tmp_path / "a")
    results(tmp_path / "b", provenance=changed(**other))
    assert main(["sweep", str(tmp_path / "a"), str(tmp_path / "b")]) == 2
    error = capsys.readouterr().err.strip()
    assert message in error and "\n" not in error


def test_results_come_back_as_they_were_written(tmp_path: Path):
    written = results(tmp_path / "a")
    assert read_results(tmp_path / "a").about == written.about
    assert {name: row.title for name, row in written.painters.items()} == {
        "spin": "Spin",
        "uni_paint": "Uni",
        "oracle": "oracle",
    }
