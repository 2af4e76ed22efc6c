"""The files of a report: what they say, when they stress it, and that the same scores give the same bytes."""

import io
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from records import printed, rows_of
from rich.console import Console
from scipy.linalg import hadamard

from spin_bench.core.errors import UserError
from spin_bench.core.files import write_whole
from spin_bench.core.metric_record import MetricRecord
from spin_bench.report.latex import escape
from spin_bench.report.numbers import numbers_of
from spin_bench.report.tables import terminal_table, terminal_tables, write_cost, write_scores, write_tables
from spin_bench.report.wording import DASH, number
from spin_bench.statistics.comparison import compare, summarise

FILES = {"table.md", "table.csv", "paired.csv", "subsets.csv", "subsets_paired.csv", "table.tex", "scores.parquet"}
TITLES = {"spin": "Spin", "sd_inpaint": "SD-inpaint", "uni_paint": "Uni", "oracle": "oracle"}
METHODS = rows_of(**TITLES)


CLIP_I = printed("clip_i", "CLIP-I", encoder="ViT-B/32 of open_clip")
RECORDS = {"clip_i": CLIP_I, "lpips_bg": printed("lpips_bg", "LPIPS", False, "%", 1, "AlexNet")}


def make_scores(means: Mapping[tuple[str, str], float], *, cases: int = 8, images: int = 2) -> pd.DataFrame:
    """Scores around (method, metric) -> mean; between methods of equal mean neither comes out ahead over 8 cases."""
    sway = 0.01 * hadamard(8)[1:]  # orthogonal rows of mean zero, one a method
    rows = [
        (method, f"real-{c:04d}", "real" if c else "sketch", k, 50 + k, metric, mean + sway[i, c] + 0.003 * k)
        for (method, metric), mean in means.items()
        for i in [list(METHODS).index(method)]
        for c in range(cases)
        for k in range(images)
    ]
    return pd.DataFrame(rows, columns=["method", "case", "domain", "k", "seed", "metric", "value"])


def level(metrics: tuple[str, ...] = ("clip_i", "lpips_bg"), **means: float) -> dict[tuple[str, str], float]:
    """The same mean in every metric, of each method named; the others have 0.5."""
    return {(method, metric): means.get(method, 0.5) for method in METHODS for metric in metrics}


def write(
    scores: pd.DataFrame, folder: Path, *, records: Mapping[str, MetricRecord] = RECORDS, title: str = "Mini"
) -> str:
    numbers = numbers_of(scores, methods=METHODS, records=records, title=title, notes=["not a paper number"])
    write_scores(scores, folder)
    write_tables(numbers, {}, folder)
    return (folder / "table.md").read_text()


def bold(markdown: str) -> list[tuple[str, int]]:
    """(row name, column) of the bold cells."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in markdown.splitlines() if line[:1] == "|"]
    return [(row[0], i) for row in rows for i, cell in enumerate(row) if cell.startswith("**")]


def test_table_says_everything(tmp_path: Path):
    text = write(make_scores(level(spin=0.7)), tmp_path)
    assert (tmp_path / "table.md").read_text() == text
    lines = text.splitlines()
    assert lines[0] == "# Mini"
    assert "n = 8 cases (real 7, sketch 1); images per case: 2" in lines
    assert re.search(r"\| Method +\| +CLIP-I ↑ \| +LPIPS \(%\) ↓ \|", text)
    assert [line.split("|")[1].strip() for line in lines if line.startswith("|")][2:] == list(TITLES.values())
    row = summarise(make_scores(level(spin=0.7))).set_index(["method", "metric"]).loc[("oracle", "clip_i")]
    assert f"{row['mean']:.3f} [{row['lo']:.3f}, {row['hi']:.3f}]" in text
    assert "missing: none" in lines
    assert "- CLIP-I (`clip_i`): higher is better; encoder: ViT-B/32 of open_clip" in lines
    assert "- LPIPS (`lpips_bg`): lower is better; encoder: AlexNet" in lines
    assert lines[-1] == "- not a paper number" and text.endswith("number\n")


def test_what_is_missing_is_counted(tmp_path: Path):
    scores = make_scores(level())
    spin = (scores["method"] == "spin") & (scores["metric"] == "clip_i")
    scores.loc[spin & (scores["case"] <= "real-0001"), "value"] = math.nan  # two whole cases
    scores.loc[spin & (scores["case"] == "real-0005") & (scores["k"] == 1), "value"] = math.nan  # one of two images
    scores = scores[(scores["method"] != "uni_paint") | (scores["metric"] != "lpips_bg")]  # never scored
    text = write(scores, tmp_path)
    assert "missing cases: Spin: CLIP-I 2; Uni: LPIPS 8\n" in text
    assert "missing images (their case is the mean of its others): Spin: CLIP-I 1\n" in text
    assert "missing: none" not in text
    table = pd.read_csv(tmp_path / "table.csv", index_col=["method", "metric"])
    assert table.loc[("spin", "clip_i"), ["n", "missing"]].tolist() == [6, 2]
    assert table.loc[("uni_paint", "lpips_bg"), ["n", "missing"]].tolist() == [0, 8]
    assert re.search(rf"\| Uni +\|.*\| +{DASH} \|", text)


def test_unequal_numbers_of_images_are_said(tmp_path: Path):
    scores = make_scores(level())
    text = write(scores[(scores["method"] != "uni_paint") | (scores["k"] == 0)], tmp_path)
    assert "images per case: 2 (Uni 1)\n" in text


def test_clear_winner_is_bold_at_the_better_end(tmp_path: Path):
    assert bold(write(make_scores(level(spin=0.7)), tmp_path)) == [("Spin", 1)]
    assert bold(write(make_scores(level(spin=0.7, uni_paint=0.3)), tmp_path)) == [("Spin", 1), ("Uni", 2)]
    assert r"\textbf{0.3}" in (tmp_path / "table.tex").read_text()


def test_one_close_rival_is_enough_against_bold(tmp_path: Path):
    scores = make_scores(level(spin=0.7, sd_inpaint=0.7))
    assert bold(write(scores, tmp_path)) == [("Uni", 2)]  # nobody at CLIP-I, where two lead
    assert re.findall(r"\\textbf\{.*?\}", (tmp_path / "table.tex").read_text()) == [r"\textbf{0.5}"]


def test_bounds_do_not_compete(tmp_path: Path):
    assert bold(write(make_scores(level(spin=0.7, oracle=0.9)), tmp_path)) == [("Spin", 1)]


def test_metric_without_a_better_end_is_never_bold(tmp_path: Path):
    records = {**RECORDS, "clip_i": replace(RECORDS["clip_i"], higher_is_better=None)}
    text = write(make_scores(level(spin=0.7)), tmp_path, records=records)
    assert bold(text) == [] and "| CLIP-I |" in re.sub(" +", " ", text)


def test_few_cases_and_lone_methods_are_not_bold(tmp_path: Path):
    assert bold(write(make_scores(level(spin=0.7), cases=6), tmp_path)) == [("Spin", 1)]
    assert bold(write(make_scores(level(spin=0.7), cases=5), tmp_path)) == []
    scores = make_scores(level(spin=0.7))
    assert bold(write(scores[scores["method"].isin(["spin", "oracle"])], tmp_path)) == []


def test_bold_rests_on_the_paired_interval_not_on_the_separate_ones(tmp_path: Path):
    scores = make_scores(level(("clip_i",), spin=0.55))
    spread = scores["case"].str[-1].astype(int)  # cases differ far more than methods
    text = write(scores.assign(value=scores["value"] + spread), tmp_path, records={"clip_i": RECORDS["clip_i"]})
    table = pd.read_csv(tmp_path / "table.csv", index_col="method")
    assert table.loc["spin", "lo"] < table.loc["uni_paint", "mean"] < table.loc["spin", "mean"]
    assert bold(text) == [("Spin", 1)]


def test_bytes_do_not_depend_on_the_order_of_rows(tmp_path: Path):
    scores = make_scores(level(spin=0.6))
    scores.loc[3, "value"] = math.nan
    write(scores, tmp_path / "a")
    write(scores.sample(frac=1, random_state=1)[scores.columns[::-1]], tmp_path / "b")
    assert {path.name for path in (tmp_path / "a").iterdir()} == FILES  # and no temporary file is left
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_data_files_hold_what_was_scored(tmp_path: Path):
    scores = make_scores(level())
    write(scores.assign(note="x"), tmp_path)
    stored = pd.read_parquet(tmp_path / "scores.parquet")
    assert list(stored.columns) == ["method", "case", "domain", "k", "seed", "metric", "value"]
    expected = scores.sort_values(["method", "case", "k", "seed", "metric"], ignore_index=True)
    pd.testing.assert_frame_equal(stored, expected, check_exact=True)
    raw = (tmp_path / "table.csv").read_bytes()
    assert b"\r" not in raw and re.fullmatch(rb"spin,clip_i(,\d\.\d{6}){3},8,0", raw.splitlines()[1])
    paired = pd.read_csv(tmp_path / "paired.csv")
    pd.testing.assert_frame_equal(paired, compare(scores, methods=list(METHODS)), atol=1e-6, rtol=0)


def test_latex_is_balanced_and_escaped(tmp_path: Path):
    odd = r"50% of A_B & C#1 {x} \y"
    scores = make_scores(level(spin=-0.7))
    write(
        scores,
        tmp_path,
        title=odd,
        records={**RECORDS, "clip_i": printed("clip_i", "a_b & c%", encoder="x_y^2 ~ $3")},
    )
    text = (tmp_path / "table.tex").read_text()
    assert re.findall(r"\\begin\{(.+?)\}", text) == ["table*", "tabular"]
    assert re.findall(r"\\end\{(.+?)\}", text) == ["tabular", "table*"]
    bare = re.sub(r"\\[{}\\]", "", text)
    assert bare.count("{") == bare.count("}")
    assert r"\caption{50\% of A\_B \& C\#1 \{x\} \textbackslash{}y." in text
    assert r"a\_b \& c\% $\uparrow$" in text and r"x\_y\textasciicircum{}2 \textasciitilde{} \$3" in text
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len(rows) == 1 + len(METHODS)
    assert all(len(re.findall(r"(?<!\\)&", row)) == len(RECORDS) for row in rows)
    assert [line for line in text.splitlines() if line.endswith("rule")] == [
        *(r"\toprule", r"\midrule", r"\midrule", r"\bottomrule")  # the second sets off the bounding row
    ]
    assert "$-$0.7" in text and not re.search(r"[^$]-0\.\d", text)
    assert not re.search(r"(?<!\\)%", text.split("\n", 1)[1])  # nothing after the first line is commented out


def test_escape_keeps_letters():
    assert escape(f"Ünï {DASH} a[b]") == "Ünï -- a{[}b]"


def test_pipes_do_not_break_the_markdown_table(tmp_path: Path):
    text = write(make_scores(level()), tmp_path, records={**RECORDS, "clip_i": printed("clip_i", "a|b")})
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + len(METHODS) and all(len(re.findall(r"(?<!\\)\|", row)) == 4 for row in rows)


@pytest.mark.parametrize(("column", "hint"), [("method", "did you mean 'spin'"), ("metric", "did you mean 'clip_i'")])
def test_scores_beyond_the_table_are_not_dropped_silently(tmp_path: Path, column: str, hint: str):
    wrong = make_scores(level()).replace({column: {"spin": "spinn", "clip_i": "clip_j"}})
    with pytest.raises(UserError, match=hint):
        write(wrong, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_no_scores_is_one_line(tmp_path: Path):
    with pytest.raises(UserError, match="no scores to report"):
        write(make_scores({}), tmp_path)


def test_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "table.md"
    write_whole(path, b"old")
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("value", "text"), [(math.nan, DASH), (-0.0004, "0.000"), (0.0126, "0.013"), (-1.5, "-1.500")])
def test_number(value: float, text: str):
    assert number(value, 3) == text


def test_cost(tmp_path: Path):
    rows = [("spin", "c", 0, 2.0, 100.0), ("spin", "c", 1, 4.0, 300.0), ("sd_inpaint", "c", 0, 0.5, math.nan)]
    runs = pd.DataFrame(rows, columns=["method", "case", "k", "seconds", "peak_memory_mb"])
    for some_order in (runs, runs.iloc[::-1]):
        write_cost(some_order, methods=["sd_inpaint", "spin", "uni_paint"], folder=tmp_path)
        assert (tmp_path / "cost.csv").read_text() == (
            "method,images,seconds_per_image,peak_memory_mb\n"
            "sd_inpaint,1,0.500000,\nspin,2,3.000000,300.000000\nuni_paint,0,,\n"
        )


def test_terminal_table_shows_values_and_counts():
    scores = make_scores(level(spin=0.7))
    scores.loc[
        (scores["method"] == "spin") & (scores["case"] == "real-0000") & (scores["metric"] == "clip_i"), "value"
    ] = math.nan
    summary = summarise(scores)
    console = Console(width=120, file=io.StringIO())
    console.print(terminal_table(summary, METHODS, RECORDS))
    assert isinstance(console.file, io.StringIO)
    lines = [line for line in console.file.getvalue().splitlines() if line.startswith("│")]
    shown = {line.split("│")[1].strip(): line for line in lines[::2]}  # intervals stand below their means
    assert list(shown) == list(TITLES.values())
    mean, lo, hi = summary.set_index(["method", "metric"]).loc[("spin", "clip_i"), ["mean", "lo", "hi"]]
    assert f" {mean:.3f} " in shown["Spin"]
    assert f"[{lo:.2f}, {hi:.2f}]" in console.file.getvalue()
    assert [cell.strip() for cell in shown["Spin"].split("│")[4:6]] == [f"7{DASH}8", f"0{DASH}1"]
    assert [cell.strip() for cell in shown["Uni"].split("│")[4:6]] == ["8", "0"]


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_a_narrow_terminal_gets_several_tables_and_loses_nothing(width: int):
    many = {f"m{i}": printed(f"m{i}", f"a metric no. {i}") for i in range(6)}
    means = {(method, metric): 0.5 for method in METHODS for metric in many}
    summary = summarise(make_scores(means))
    tables = terminal_tables(summary, METHODS, many, width=width)
    console = Console(width=width, file=io.StringIO())
    for table in tables:
        console.print(table)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    if width >= 60:
        assert "…" not in text
        assert all(f"{record.title} ↑" in text for record in many.values())
    assert (len(tables) == 1) == (width == 200)
