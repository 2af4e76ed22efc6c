"""The figures of a report: they draw the numbers they are given, named and directed, to the same bytes each time."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from PIL import Image
from records import COLOURS, printed, rows_of

from spin_bench.core.metric_record import MetricRecord
from spin_bench.report.figures.bars import bars
from spin_bench.report.figures.curves import sweep_curves, sweep_path
from spin_bench.report.figures.forest import differences, forest
from spin_bench.report.figures.slopes import slopes
from spin_bench.report.figures.style import write_figure
from spin_bench.report.figures.tradeoff import cost_tradeoff, metric_tradeoff
from spin_bench.report.figures.write import write_figures
from spin_bench.report.legend import Row, method_colours
from spin_bench.report.numbers import numbers_of
from spin_bench.statistics.comparison import PAIRS, compare, per_case, summarise
from spin_bench.statistics.pareto import pareto_front

TITLES = {"spin": "Spin", "uni_paint": "Uni", "mine": "Mine", "oracle": "oracle"}
METHODS = rows_of(**TITLES)


CLIP, COHERENCE, LPIPS = (
    printed("clip_i", "CLIP-I"),
    printed("coherence", "coherence"),
    printed("lpips", "LPIPS", False, "%"),
)
RECORDS = {record.name: record for record in (CLIP, COHERENCE, LPIPS)}
COSTS = pd.DataFrame({"method": list(METHODS), "seconds_per_image": [3.0, 9.0, 2.0, 0.0]})


def make_scores(cases: int = 7) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = [
        (method, f"real-{c}", "real", 0, 1, metric, 0.3 + 0.1 * i + 0.05 * rng.standard_normal())
        for i, method in enumerate(METHODS)
        for metric in RECORDS
        for c in range(cases)
    ]
    return pd.DataFrame(rows, columns=["method", "case", "domain", "k", "seed", "metric", "value"])


@pytest.fixture(scope="module")
def summary() -> pd.DataFrame:
    return summarise(make_scores(), methods=list(METHODS), metrics=list(RECORDS))


def marks(axes: Axes) -> dict[str, tuple[float, float]]:
    """Where the points with a name in the legend are."""
    lines = [line for line in axes.lines if line.get_label() in TITLES.values()]
    return {str(line.get_label()): (float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in lines}


@pytest.mark.parametrize("higher_x", [True, False])
@pytest.mark.parametrize("higher_y", [True, False])
def test_pareto_front_is_what_brute_force_finds(higher_x: bool, higher_y: bool):
    rng = np.random.default_rng(4)
    points = rng.integers(0, 8, (40, 2)).astype(float)  # with ties and equal points
    points[3, 0] = math.nan
    turned = [((x if higher_x else -x), (y if higher_y else -y)) for x, y in points]
    expected = {
        i
        for i, (x, y) in enumerate(turned)
        if i != 3 and not any((u >= x and v >= y) and (u > x or v > y) for u, v in turned)
    }
    found = pareto_front(points[:, 0], points[:, 1], higher_x=higher_x, higher_y=higher_y)
    assert set(found) == expected and len(found) == len(expected)
    assert (np.diff(points[found, 0]) >= 0).all()


def test_colours_are_fixed_for_the_known_and_apart_for_the_rest():
    names = ["mine", "spin", "yours", "mine@top1", "blended_diffusion", "blended_diffusion@top4"]
    colours = method_colours(rows_of(**dict.fromkeys(names, "title")))
    assert colours["spin"] == COLOURS["spin"] == method_colours(rows_of(spin="Spin"))["spin"]
    assert colours["mine@top1"] == colours["mine"]
    assert colours["blended_diffusion@top4"] == COLOURS["blended_diffusion"]
    assert len({colours["mine"], colours["yours"], *COLOURS.values()}) == len(COLOURS) + 2


def test_bars_are_as_long_as_the_means(summary: pd.DataFrame):
    figure = bars(summary, methods=METHODS, records=RECORDS)
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title(loc="left") for axes in shown] == ["CLIP-I ↑", "coherence ↑", "LPIPS (%) ↓"]
    cells = summary.set_index(["metric", "method"])
    for axes, metric in zip(shown, RECORDS, strict=True):
        assert [bar.get_width() for bar in axes.patches] == pytest.approx(cells.loc[metric]["mean"].tolist())
        assert [to_hex(bar.get_facecolor()).upper() for bar in axes.patches][:2] == ["#D55E00", "#E69F00"]
        assert [bar.get_hatch() for bar in axes.patches] == [None, None, None, "////"]
        (intervals,) = [c for c in axes.collections if isinstance(c, LineCollection)]
        ends = np.array([segment[:, 0] for segment in intervals.get_segments()])
        assert ends == pytest.approx(cells.loc[metric][["lo", "hi"]].to_numpy())
    assert [label.get_text() for label in shown[0].get_yticklabels()] == list(TITLES.values())
    assert shown[0].yaxis_inverted()  # the first method on top


def test_bar_without_a_value_is_a_dash(summary: pd.DataFrame):
    gone = summary.copy()
    gone.loc[gone["method"] == "uni_paint", ["mean", "lo", "hi"]] = math.nan
    figure = bars(gone, methods=METHODS, records={"clip_i": CLIP})
    assert [text.get_text() for text in figure.axes[0].texts][1] == "–"


def test_tradeoff_draws_points_and_front(summary: pd.DataFrame):
    axes = metric_tradeoff(summary, x=CLIP, y=LPIPS, methods=METHODS).axes[0]
    mean = summary.set_index(["metric", "method"])["mean"]
    expected = {title: (mean["clip_i", name], mean["lpips", name]) for name, title in TITLES.items()}
    assert marks(axes) == {title: pytest.approx(place) for title, place in expected.items()}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("CLIP-I ↑", "LPIPS (%) ↓")
    (front,) = [line for line in axes.lines if line.get_label() == "Pareto front"]
    names = [name for name in METHODS if name != "oracle"]
    kept = pareto_front(mean["clip_i"][names], mean["lpips"][names], higher_x=True, higher_y=False)
    assert front.get_xdata().tolist() == pytest.approx([mean["clip_i", names[i]] for i in kept])
    neutral = metric_tradeoff(summary, x=printed("clip_i", "CLIP-I", None), y=LPIPS, methods=METHODS).axes[0]
    assert neutral.get_xlabel() == "CLIP-I" and "Pareto front" not in [line.get_label() for line in neutral.lines]


@pytest.mark.parametrize("higher_x", [True, False])
def test_the_front_encloses_what_it_beats(higher_x: bool):
    """Every point of the drawn staircase is weakly beaten by a point of the front."""
    x, y = np.array([1.0, 2.0, 4.0]), np.array([1.0, 2.0, 4.0]) * (-1 if higher_x else 1)
    rows = [(f"m{i}", metric, *[v] * 3, 9, 0) for i in range(3) for metric, v in (("a", x[i]), ("b", y[i]))]
    summary = pd.DataFrame(rows, columns=["method", "metric", "mean", "lo", "hi", "n", "missing"])
    names = rows_of(**{f"m{i}": f"m{i}" for i in range(3)})
    axes = metric_tradeoff(summary, x=printed("a", "a", higher_x), y=printed("b", "b"), methods=names).axes[0]
    (front,) = [line for line in axes.lines if line.get_label() == "Pareto front"]
    stairs = front.get_path().vertices
    assert len(stairs) == 5
    sign = 1 if higher_x else -1
    assert all(((sign * x >= sign * u) & (y >= v)).any() for u, v in stairs)


def test_cost_leaves_out_bounds_and_counts_seconds(summary: pd.DataFrame):
    axes = cost_tradeoff(summary, COSTS, y=CLIP, methods=METHODS).axes[0]
    assert {title: place[0] for title, place in marks(axes).items()} == {"Spin": 3.0, "Uni": 9.0, "Mine": 2.0}
    low, high = axes.get_xlim()
    assert 1.5 < low < 2 and 9 < high < 12  # no room for what is not there
    assert axes.get_xscale() == "log" and axes.get_xlabel() == "time (s/image) ↓"


@pytest.mark.parametrize(("record", "spin_better"), [(CLIP, 2), (printed("clip_i", "d", False), 1)])
def test_slopes_join_the_two_values_of_each_case(record: MetricRecord, spin_better: int):
    values = {"a": (0.1, 0.4), "b": (0.5, 0.6), "c": (0.9, 0.2), "d": (0.3, 0.3), "e": (0.7, math.nan)}
    rows = [
        (method, case, "real", 0, 1, "clip_i", pair[i])
        for case, pair in values.items()
        for i, method in enumerate(("uni_paint", "spin"))
    ]
    table = per_case(pd.DataFrame(rows, columns=["method", "case", "domain", "k", "seed", "metric", "value"]))
    axes = slopes(table, base="spin", rivals=["uni_paint"], methods=METHODS, record=record).axes[0]
    thin = [line for line in axes.lines if line.get_linewidth() < 2]
    assert {tuple(line.get_ydata()) for line in thin} == {values[case] for case in "abcd"}
    colours = {tuple(line.get_ydata()): line.get_color() for line in thin}
    assert list(colours.values()).count(COLOURS["spin"]) == spin_better
    assert colours[values["c"]] == COLOURS["uni_paint" if record.higher_is_better else "spin"]
    (mean,) = [line for line in axes.lines if line.get_linewidth() > 2]
    assert mean.get_ydata().tolist() == pytest.approx([0.45, 0.375])
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert labels == [f"Uni\n{3 - spin_better}", f"Spin\n{spin_better}"]
    assert axes.get_title() == "4 cases, 1 without a value"


def test_slopes_have_a_panel_a_rival_on_one_scale():
    values = per_case(make_scores())
    figure = slopes(values, base="spin", rivals=["uni_paint", "mine", "oracle"], methods=METHODS, record=CLIP)
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_xticklabels()[0].get_text().split("\n")[0] for axes in shown] == ["Uni", "Mine", "oracle"]
    assert len({axes.get_ylim() for axes in shown}) == 1
    table = values["value"].xs("clip_i", level="metric").unstack("method")
    for axes, rival in zip(shown, ("uni_paint", "mine", "oracle"), strict=True):
        wins = int((table["spin"] > table[rival]).sum())
        assert [label.get_text().split("\n")[1] for label in axes.get_xticklabels()] == [str(7 - wins), str(wins)]


def test_forest_is_about_the_base_on_whichever_side_it_stands():
    pairs = compare(make_scores(), methods=["uni_paint", "spin", "mine"], metrics=["clip_i"])
    mean = per_case(make_scores())["value"].xs("clip_i", level="metric").groupby("method").mean()
    found = differences(pairs, base="spin", metric="clip_i")
    for other in ("uni_paint", "mine"):
        row = found.loc[other]
        assert row["diff"] == pytest.approx(mean[other] - mean["spin"])
        assert row["lo"] < row["diff"] < row["hi"]
    rows = [("base", other, "clip_i", *numbers, 9) for other, numbers in {
        "clear": (-0.2, -0.3, -0.1, 0.01, 0.01, 0.0), "open": (0.0, -0.1, 0.2, 0.5, 0.5, 0.5)}.items()]  # fmt: skip
    table = pd.DataFrame(rows, columns=PAIRS[:-1])
    names = rows_of(open="Open", base="Base", clear="Clear")
    axes = forest(table, base="base", methods=names, record=CLIP).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["Open", "Clear"]
    assert [text.get_text() for text in axes.texts] == ["0.000 [−0.200, 0.100]", "0.200 [0.100, 0.300]"]
    points = [line for line in axes.lines if line.get_marker() == "o"]
    assert [point.get_markerfacecolor() == "white" for point in points] == [True, False]
    assert axes.get_xlabel() == "CLIP-I, difference from Base\n(right is better)"


def test_curves_run_through_their_points_in_order():
    rows = [("spin", 5.0, 0.6, 0.5, 0.7), ("spin", 1.0, 0.4, 0.3, 0.5), ("uni_paint", 1.0, 0.2, 0.1, 0.3)]
    points = pd.DataFrame(rows, columns=["method", "setting", "mean", "lo", "hi"])
    axes = sweep_curves(points, setting="guidance scale", methods=METHODS, record=CLIP).axes[0]
    curves = {line.get_label(): line.get_xydata().tolist() for line in axes.lines}
    assert curves == {"Spin": [[1.0, 0.4], [5.0, 0.6]], "Uni": [[1.0, 0.2]]}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("guidance scale", "CLIP-I ↑")
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "5"]


def test_path_goes_through_the_settings_in_order():
    rows = [("spin", setting, metric, mean, mean - 0.1, mean + 0.2)
            for setting, pair in ((5.0, (0.6, 0.1)), (1.0, (0.4, 0.3)), (3.0, (0.5, 0.7)))
            for metric, mean in zip(("clip_i", "coherence"), pair, strict=True)]  # fmt: skip
    points = pd.DataFrame(rows, columns=["method", "setting", "metric", "mean", "lo", "hi"])
    axes = sweep_path(points, setting="steps", methods=METHODS, x=CLIP, y=COHERENCE).axes[0]
    (path,) = [line for line in axes.lines if line.get_label() == "Spin"]
    assert path.get_xydata().tolist() == [[0.4, 0.3], [0.5, 0.7], [0.6, 0.1]]
    assert [(text.get_text(), tuple(text.xy)) for text in axes.texts] == [
        ("1", (0.4, 0.3)), ("3", (0.5, 0.7)), ("5", (0.6, 0.1))]  # fmt: skip
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("CLIP-I ↑", "coherence ↑", "by steps")
    ends = [segment for bars in axes.collections for segment in bars.get_segments()]
    assert [pytest.approx([0.3, 0.6]), pytest.approx([0.2, 0.5])] == [ends[0][:, 0], ends[3][:, 1]]


def test_files_are_the_same_every_time_and_nothing_is_cut_off(tmp_path: Path, summary: pd.DataFrame):
    names = {**METHODS, "mine": Row("a method with a name that is far too long")}
    for run in ("a", "b"):
        write_figure(metric_tradeoff(summary, x=CLIP, y=COHERENCE, methods=names), tmp_path / run)
    for suffix in ("png", "pdf"):
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()
    pdf = (tmp_path / "a.pdf").read_bytes()
    assert b"/Type3" not in pdf and b"CreationDate" not in pdf
    page = np.asarray(Image.open(tmp_path / "a.png").convert("L"))
    rim = np.concatenate([page[:3].ravel(), page[-3:].ravel(), page[:, :3].ravel(), page[:, -3:].ravel()])
    assert (rim == 255).all() and page.min() < 100


def test_a_folder_gets_every_figure_its_numbers_allow(tmp_path: Path):
    scores = make_scores(cases=6)
    scores = scores[scores["metric"] == "clip_i"]
    numbers = numbers_of(scores, methods=METHODS, records={"clip_i": CLIP}, title="t", notes=[])
    found = write_figures(numbers, COSTS, tmp_path)
    names = ["bars", "cost_clip_i", "differences_clip_i", "slopes_clip_i"]
    assert found == [tmp_path / f"{name}.png" for name in names]
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.{kind}" for name in names for kind in ("png", "pdf")}
