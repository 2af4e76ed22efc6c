"""A sweep: results of one experiment at several values of one setting, as curves and a table."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from spin_bench.core.errors import UserError
from spin_bench.core.files import write_csv, write_whole
from spin_bench.core.identity import leaves
from spin_bench.report.about import ABOUT
from spin_bench.report.figures.curves import sweep_curves, sweep_path
from spin_bench.report.figures.style import write_figure
from spin_bench.report.figures.write import similarity_and_coherence
from spin_bench.report.legend import Rows
from spin_bench.report.markdown import LEGEND, markdown_table
from spin_bench.report.results import Results, read_results
from spin_bench.report.wording import header, interval, number
from spin_bench.statistics.comparison import summarise

POINTS = ["method", "setting", "metric", "mean", "lo", "hi", "n", "missing"]
INDEX = "sweep.json"  # stands in the folder of a sweep's jobs
LARGEST = 1e300  # that an axis can hold
LOG_FROM = 20  # largest over smallest value from which on an axis is logarithmic


def find_results(paths: Sequence[Path]) -> list[Results]:
    """Read the results folders among `paths` and below them; fewer than two are a `UserError`."""
    folders = [path.parent for given in paths for path in sorted([*given.glob(ABOUT), *given.glob(f"*/**/{ABOUT}")])]
    folders = list(dict.fromkeys(folders))
    if len(folders) < 2:
        where = ", ".join(map(str, paths)) or "nothing"
        raise UserError(f"a sweep needs two results folders or more, {len(folders)} found in {where}")
    return [read_results(folder) for folder in folders]


def swept(results: Sequence[Results]) -> tuple[str, dict[tuple[int, str], float]]:
    """Find the setting that differs between `results`, and its value: (position in `results`, method) -> number.

    Methods that do not have it, or have it at one value, are left out. None, several, or one that is no number is a
    `UserError`.
    """
    shared = [m for m in results[0].about.methods if all(m in one.provenance["methods"] for one in results)]
    settings = {
        (i, m): leaves(one.provenance["methods"][m]["settings"]) for i, one in enumerate(results) for m in shared
    }
    varying: dict[str, list[str]] = {}  # setting -> methods
    for method in shared:
        for name in settings[0, method]:
            if len({str(settings[i, method].get(name)) for i in range(len(results))}) > 1:
                varying.setdefault(name, []).append(method)
    if len(varying) != 1:
        fault = f"they differ in {', '.join(sorted(varying))}" if varying else "no setting of a method differs"
        raise UserError(f"a sweep is over one setting of the same methods, but {fault}; spin-bench diff A B says more")
    [(name, methods)] = varying.items()
    return name, {(i, m): _number(name, settings[i, m].get(name)) for i in range(len(results)) for m in methods}


def _number(name: str, value: object) -> float:
    """The value of a setting as a point on an axis; `UserError` if it is none."""
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST:
        return float(value)
    raise UserError(f"{name}={value!s:.40} is no number to draw a curve over: compare pairs with spin-bench diff A B")


def sweep_points(results: Sequence[Results], values: Mapping[tuple[int, str], float]) -> pd.DataFrame:
    """Summarise each folder by the value of the setting: columns `POINTS`."""
    frames = []
    for i, one in enumerate(results):
        methods = [method for place, method in values if place == i]
        summary = summarise(one.scores, methods=methods, metrics=list(results[0].about.records))
        frames.append(summary.assign(setting=[values[i, method] for method in summary["method"]]))
    points = pd.concat(frames)[POINTS]
    if points.duplicated(POINTS[:3]).any():
        again = points[points.duplicated(POINTS[:3])].iloc[0]
        raise UserError(f"two of the folders have {again['method']} at {again['setting']:g}: name one of them")
    return points.sort_values(POINTS[:3], ignore_index=True)


def write_sweep(results: Sequence[Results]) -> Path:
    """Write points.csv, table.md and figures; return their folder.

    It is that of the sweep where the results are its jobs, else `sweep_<setting>` beside them.
    """
    name, values = swept(results)
    points, about = sweep_points(results, values), results[0].about
    beside = Path(os.path.commonpath([one.folder.absolute().parent for one in results]))
    folder = beside if (beside / INDEX).exists() else beside / f"sweep_{name}"
    methods = {method: about.methods[method] for method in dict.fromkeys(method for _, method in values)}
    write_csv(folder / "points.csv", points)
    write_whole(folder / "table.md", _table(points, name, methods, about.records, about.notes).encode())
    log = min(values.values()) > 0 and max(values.values()) / min(values.values()) >= LOG_FROM
    drawn = [record for record in similarity_and_coherence(about.records) if record is not None]
    for record in drawn:
        of_metric = points[points["metric"] == record.name]
        figure = sweep_curves(of_metric, setting=name, methods=methods, record=record, log=log)
        write_figure(figure, folder / "figures" / record.name)
    if len(drawn) == 2:
        figure = sweep_path(points, setting=name, methods=methods, x=drawn[0], y=drawn[1])
        write_figure(figure, folder / "figures" / "similarity_coherence")
    return folder


def _table(points: pd.DataFrame, name: str, methods: Rows, records: Mapping[str, Any], notes: Sequence[str]) -> str:
    cells = {(row.method, row.setting, row.metric): row for row in points.itertuples()}
    rows = []
    for method, row in methods.items():
        for value in sorted(points.loc[points["method"] == method, "setting"].unique()):
            own = [(cells[method, value, metric], record) for metric, record in records.items()]
            texts = [f"{number(c.mean, r.digits)} {interval(c.lo, c.hi, r.digits)}".rstrip() for c, r in own]
            rows.append([row.title, f"{value:g}", *texts, str(max((c.n for c, _ in own), default=0))])
    head = ["Method", name, *(header(record) for record in records.values()), "n"]
    text = LEGEND.partition(" Bold")[0]  # nothing is bold: no row is tested against another
    return "\n\n".join([f"# Sweep of {name}", markdown_table(head, rows), text, *notes[:1]]) + "\n"
