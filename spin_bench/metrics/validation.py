"""Whether a metric measures what it claims: its course over ladders of known faults.

A metric is to fall in order over the ladders it claims, and to stay flat on all others. The evidence is a long frame of
values (one row a picture), and a matrix of one row a metric and ladder.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL.Image import Image
from scipy.stats import spearmanr
from torch import Tensor

from spin_bench.case import Case
from spin_bench.metrics.batch import Batch
from spin_bench.metrics.degradations import SEVERITIES, Ladder
from spin_bench.stack import Stack

VALUES = ["metric", "ladder", "severity", "case", "value"]
MATRIX = ["metric", "ladder", "claimed", "order", "order_of_cases", "fall", "drift", "n", "missing", "passes"]
ORDERED = 0.95  # Spearman's correlation that a claimed ladder needs
FLAT = 0.1  # of a metric's range, which an unclaimed ladder may not exceed
TOGETHER = 32  # cases an encoder sees at once


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A metric before it is admitted to the table, and what it promises."""

    name: str
    higher_is_better: bool
    range: tuple[float, float]
    claims: tuple[str, ...]  # ladders it falls on; on all others it stays flat
    protocol: str
    compute: Callable[[Batch], Tensor]  # (n,) values of n pictures, NaN where one is missing


@torch.no_grad()
def measure(
    candidates: Sequence[Candidate], ladders: Sequence[Ladder], cases: Sequence[Case], stack: Stack
) -> pd.DataFrame:
    """Every candidate's value of every case on every rung: columns `VALUES`."""
    frames = []
    for start in range(0, len(cases), TOGETHER):
        group = cases[start : start + TOGETHER]
        truths = _rung(candidates, group, [ladders[0].paint(case, 0) for case in group], stack)
        for ladder in ladders:
            frames.append(truths.assign(ladder=ladder.name, severity=0))
            for severity in range(1, SEVERITIES):
                rung = _rung(candidates, group, [ladder.paint(case, severity) for case in group], stack)
                frames.append(rung.assign(ladder=ladder.name, severity=severity))
    return pd.concat(frames, ignore_index=True)[VALUES]


def _rung(candidates: Sequence[Candidate], cases: Sequence[Case], pictures: list[Image], stack: Stack) -> pd.DataFrame:
    """Every candidate's value of one picture a case: columns metric, case, value."""
    batch = Batch(cases, pictures, stack)
    rows = [
        (candidate.name, case.id, value)
        for candidate in candidates
        for case, value in zip(cases, candidate.compute(batch).tolist(), strict=True)
    ]
    return pd.DataFrame(rows, columns=["metric", "case", "value"])


def matrix(values: pd.DataFrame, candidates: Iterable[Candidate]) -> pd.DataFrame:
    """What `measure` returned as one row a metric and ladder: columns `MATRIX`.

    `order` is Spearman's correlation of severity and the mean over cases, 1 where the metric worsens at every step;
    `order_of_cases` is the mean of the same correlation within each case, 0 for a case on which nothing changes.
    `fall` is how much worse the last rung is than the truth, `drift` the largest difference of any rung from the
    truth, both of the means and in units of the metric's range. A case with a missing value counts on no rung.
    """
    rows = []
    for candidate in candidates:
        own = values[values["metric"] == candidate.name]
        for name in own["ladder"].unique():
            table = own[own["ladder"] == name].pivot(index="case", columns="severity", values="value")
            rows.append((candidate.name, name, *_course(table.to_numpy(), candidate, claimed=name in candidate.claims)))
    return pd.DataFrame(rows, columns=MATRIX)


def _course(
    values: np.ndarray, candidate: Candidate, *, claimed: bool
) -> tuple[bool, float, float, float, float, int, int, bool]:
    """The columns of `MATRIX` after the names, from values (cases, severities)."""
    whole: np.ndarray = values[~np.isnan(values).any(axis=1)]
    missing = len(values) - len(whole)
    if not len(whole):
        return claimed, np.nan, np.nan, np.nan, np.nan, 0, missing, False
    worse = whole if not candidate.higher_is_better else -whole
    means = worse.mean(axis=0)
    steps = (means - means[0]) / (candidate.range[1] - candidate.range[0])
    order, of_cases = _order(means), float(np.mean([_order(case) for case in worse]))
    fall, drift = float(steps[-1]), float(np.abs(steps).max())
    passes = order >= ORDERED if claimed else drift <= FLAT
    return claimed, order, of_cases, fall, drift, len(whole), missing, passes


def _order(worse: np.ndarray) -> float:
    """Spearman's correlation of values with their positions, 0 where they are all the same."""
    if np.ptp(worse) == 0:
        return 0.0
    return float(spearmanr(np.arange(len(worse)), worse).statistic)


def save(values: pd.DataFrame, candidates: Sequence[Candidate], folder: Path) -> list[Path]:
    """Write `values.csv`, `matrix.csv` and the heat map `matrix.png` into `folder`; the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    table = matrix(values, candidates)
    paths = [folder / name for name in ("values.csv", "matrix.csv", "matrix.png")]
    values.to_csv(paths[0], index=False, float_format="%.6g")
    table.to_csv(paths[1], index=False, float_format="%.6g")
    draw(table, paths[2])
    return paths


def draw(table: pd.DataFrame, path: Path) -> None:
    """The matrix as a heat map of `fall`; a claimed cell has a frame and its `order`, a failing one a cross."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    metrics, ladders = list(table["metric"].unique()), list(table["ladder"].unique())
    cells = table.set_index(["metric", "ladder"])
    figure = Figure(figsize=(2.6 + 0.85 * len(ladders), 1.9 + 0.38 * len(metrics)), layout="constrained")
    axes = FigureCanvasAgg(figure).figure.subplots()
    falls = table.pivot(index="metric", columns="ladder", values="fall").loc[metrics, ladders]
    image = axes.imshow(falls, cmap="RdBu_r", vmin=-0.3, vmax=0.3, aspect="auto")
    for y, metric in enumerate(metrics):
        for x, ladder in enumerate(ladders):
            cell = cells.loc[(metric, ladder)]
            axes.text(x, y, _words(cell), ha="center", va="center", fontsize=7, color=_ink(cell["fall"]))
            if cell["claimed"]:
                axes.add_patch(Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, fill=False, linewidth=1.6))
    axes.set_xticks(range(len(ladders)), [name.replace("_", " ") for name in ladders], rotation=35, ha="right")
    axes.set_yticks(range(len(metrics)), metrics)
    axes.set_xlabel("fault, at its full strength (frame: claimed, ρ over severities; ×: fails)")
    axes.set_title(f"worsening from the truth, of the metric's range (n = {table['n'].max()} cases)", fontsize=10)
    figure.colorbar(image, ax=axes, extend="both", label="worse than the truth")
    figure.savefig(path, dpi=150, metadata={"Software": None})


def _words(cell: pd.Series) -> str:
    if not cell["n"]:
        return "missing ×"
    order = f"\nρ {cell['order']:.2f}" if cell["claimed"] else ""
    return f"{cell['fall']:+.2f}{order}{'' if cell['passes'] else ' ×'}"


def _ink(fall: float) -> str:
    return "white" if abs(fall) > 0.2 else "black"
