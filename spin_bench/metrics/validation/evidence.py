"""The files that tell which metrics measure what they claim: tables, a heat map, a page."""

import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from spin_bench.core.files import write_csv, write_whole
from spin_bench.metrics.validation.ladders import FLAT, ORDERED, SEVERITIES

FILES = ("courses.csv", "matrix.csv", "matrix.json", "matrix.md", "matrix.png")


def save(values: pd.DataFrame, table: pd.DataFrame, main: Sequence[str], folder: Path, *, title: str) -> list[Path]:
    """Write `FILES` into `folder` (mean values by rung, the matrix in three forms and as a heat map); return them.

    `main` names the metrics of the main table, which stand first.
    """
    paths = [folder / name for name in FILES]
    means = values.groupby(["metric", "ladder", "severity"], sort=False)["value"].agg(["mean", "count"])
    write_csv(paths[0], means.reset_index(), digits=4)
    write_csv(paths[1], table, digits=4)
    write_whole(paths[2], (json.dumps(verdicts(table, main), indent=1) + "\n").encode())
    write_whole(paths[3], page(table, main, title=title).encode())
    draw(table, main, paths[4])
    return paths


def failing(table: pd.DataFrame, main: Sequence[str]) -> list[str]:
    """Name the metrics of `main` that break a promise, each with the ladders that show it."""
    broken = table[table["metric"].isin(main) & ~table["passes"].astype(bool)]
    return [f"{metric} ({', '.join(rows['ladder'])})" for metric, rows in broken.groupby("metric", sort=False)]


def verdicts(table: pd.DataFrame, main: Sequence[str]) -> dict[str, object]:
    """Say of every metric, as plain data, whether it keeps its promises, what it claims and how it did."""
    metrics = {}
    for name, rows in table.groupby("metric", sort=False):
        claimed, others = rows[rows["claimed"]], rows[~rows["claimed"]]
        metrics[str(name)] = {
            "main_table": name in main,
            "passes": bool(rows["passes"].all()),
            "claims": list(claimed["ladder"]),
            "lowest_order_claimed": _rounded(claimed["order"].min()),
            "largest_drift_unclaimed": _rounded(others["drift"].max()),
            "breaks": list(rows[~rows["passes"].astype(bool)]["ladder"]),
        }
    criteria = {"order_of_claimed_at_least": ORDERED, "drift_of_unclaimed_at_most": FLAT, "severities": SEVERITIES}
    return {"cases": int(table["n"].max()), "criteria": criteria, "metrics": metrics}


def page(table: pd.DataFrame, main: Sequence[str], *, title: str) -> str:
    """Write the matrix as Markdown: a row a metric, the main table's first."""
    lines = [
        f"# {title}",
        "",
        f"n = {table['n'].max()} cases, {SEVERITIES} severities a ladder. A metric keeps its promises where Spearman's",
        f"correlation of severity and its mean is at least {ORDERED} on every ladder that it claims, and where its",
        f"mean stays within {FLAT:.0%} of its range on every other one. *Of span* is the largest unclaimed drift in",
        "units of the metric's largest drift on any ladder, a stricter question that nothing hangs on.",
        "",
        "![Metrics by ladders](matrix.png)",
        "",
        "| metric | table | claims | lowest order | largest unclaimed drift | of span | keeps its promises |",
        "|---|:-:|---|--:|--:|--:|:-:|",
    ]
    for name in _ordered(table, main):
        rows = table[table["metric"] == name]
        claimed, others = rows[rows["claimed"]], rows[~rows["claimed"]]
        worst = others.loc[others["drift"].idxmax()] if others["drift"].notna().any() else None
        drift = "–" if worst is None else f"{worst['drift']:.3f} ({worst['ladder']})"
        span = "–" if worst is None else f"{others['of_span'].max():.2f}"
        order = f"{claimed['order'].min():.2f}" if len(claimed) else "–"
        broken = ", ".join(rows[~rows["passes"].astype(bool)]["ladder"])
        claims = ", ".join(claimed["ladder"]) or "nothing here"
        verdict = f"no: {broken}" if broken else "yes"
        lines.append(
            f"| `{name}` | {'main' if name in main else ''} | {claims} | {order} | {drift} | {span} | {verdict} |"
        )
    return "\n".join(lines) + "\n"


def draw(table: pd.DataFrame, main: Sequence[str], path: Path) -> None:
    """Draw the matrix as a heat map of `fall`; a claimed cell has a frame and its `order`, a failing one a cross."""
    metrics, ladders = _ordered(table, main), list(table["ladder"].unique())
    cells = table.set_index(["metric", "ladder"])
    figure = Figure(figsize=(3.4 + 0.85 * len(ladders), 2.2 + 0.38 * len(metrics)), layout="constrained")
    axes = FigureCanvasAgg(figure).figure.subplots()
    falls = table.pivot(index="metric", columns="ladder", values="fall").loc[metrics, ladders]
    image = axes.imshow(falls, cmap="RdBu_r", vmin=-0.3, vmax=0.3, aspect="auto")
    for y, metric in enumerate(metrics):
        for x, ladder in enumerate(ladders):
            cell = cells.loc[(metric, ladder)]
            ink = "white" if abs(cell["fall"]) > 0.2 else "black"
            axes.text(x, y, _words(cell), ha="center", va="center", fontsize=7, color=ink)
            if cell["claimed"]:
                axes.add_patch(Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, fill=False, linewidth=1.6))
    axes.set_xticks(range(len(ladders)), [name.replace("_", " ") for name in ladders], rotation=35, ha="right")
    axes.set_yticks(range(len(metrics)), metrics)
    for label, metric in zip(axes.get_yticklabels(), metrics, strict=True):
        label.set_fontweight("bold" if metric in main else "normal")
    axes.set_xlabel("fault, at its full strength (frame: claimed, ρ over severities; ×: breaks its promise)")
    axes.set_title(
        f"worsening from the truth, of the metric's range (n = {table['n'].max()} cases; bold: main table)", fontsize=10
    )
    figure.colorbar(image, ax=axes, extend="both", label="worse than the truth", shrink=min(1.0, 6 / len(metrics)))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120, metadata={"Software": None})


def _ordered(table: pd.DataFrame, main: Sequence[str]) -> list[str]:
    names = list(table["metric"].unique())
    return [name for name in main if name in names] + [name for name in names if name not in main]


def _words(cell: pd.Series) -> str:
    if not cell["n"]:
        return "missing ×"
    order = f"\nρ {cell['order']:.2f}" if cell["claimed"] else ""
    return f"{round(cell['fall'], 2) + 0.0:+.2f}{order}{'' if cell['passes'] else ' ×'}"


def _rounded(value: float) -> float | None:
    return None if pd.isna(value) else round(float(value), 4)
