"""The gallery: one page with every case's inputs and every method's pictures beside their scores.

`index.html` holds its data, style and script; the pictures stay files beside it, found by relative paths. It needs no
server and no network.
"""

import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from PIL import Image

from spin_bench.case import Case
from spin_bench.errors import UserError
from spin_bench.files import write_whole
from spin_bench.report.facts import BOUNDS, MetricFacts
from spin_bench.report.figures.style import method_colours
from spin_bench.report.pages import page

SCRIPTS = ("common.js", "compare.js", "gallery.js")
INPUTS = ("background", "mask", "reference")
MORE_DIGITS = 2  # of a score in the page beyond those that are printed, so that sorting does not tie

# (method, case) -> image numbers in the order to show them: the method's favourite first where it has one
Painted = Mapping[tuple[str, str], Sequence[int]]


def find_painted(folder: Path, *, methods: Sequence[str], cases: Sequence[str]) -> dict[tuple[str, str], list[int]]:
    """The numbers k of the files `images/<method>/<case>/<k>.png` of a results folder, ascending."""
    return {
        (method, case): sorted(int(path.stem) for path in (folder / "images" / method / case).glob("[0-9]*.png"))
        for method in methods
        for case in cases
    }


def write_gallery(
    folder: Path,
    *,
    cases: Sequence[Case],
    scores: pd.DataFrame,
    methods: Mapping[str, str],
    records: Mapping[str, MetricFacts],
    title: str,
    notes: Sequence[str] = (),
    painted: Painted | None = None,
    figures: Sequence[Path] = (),
    ballot: bool = False,
) -> Path:
    """Write `index.html` and the folder `inputs` into the results folder; return the page.

    `methods` maps names to display names in column order; pictures stand in `images/<method>/<case>/<k>.png`, `painted`
    says which (default: those found). `scores` has a row an image and metric; rows of other methods are left out.
    `figures` are files below `folder` to show, `ballot` says that votes.html stands beside the page.
    """
    if not cases:
        raise UserError(f"no cases to show in {folder}: the run has none, widen its domains or its limit")
    if painted is None:
        painted = find_painted(folder, methods=list(methods), cases=[case.id for case in cases])
    _write_inputs(folder / "inputs", cases)
    data = _data(cases, _by_image(scores, methods, records), methods, records, painted)
    shown = [path.relative_to(folder).as_posix() for path in figures]
    content = {"title": title, "notes": list(notes), "figures": shown, "ballot": ballot, "data": data}
    index = folder / "index.html"
    write_whole(index, page("index.html.j2", scripts=SCRIPTS, values=content))
    return index


def _data(
    cases: Sequence[Case],
    values: Mapping[tuple[str, str, int, str], float],
    methods: Mapping[str, str],
    records: Mapping[str, MetricFacts],
    painted: Painted,
) -> dict[str, list[dict[str, object]]]:
    """What the page's script reads: a case's `scores` are indexed by method, image, metric, null where missing."""
    colours = method_colours(methods)
    better = {True: 1, False: -1, None: 0}
    of_case = {case.id: [list(painted.get((name, case.id), ())) for name in methods] for case in cases}
    return {
        "metrics": [
            {"title": facts.title, "unit": facts.unit, "digits": facts.digits, "better": better[facts.higher_is_better]}
            for facts in records.values()
        ],
        "methods": [
            {"name": name, "title": title, "colour": colours[name], "competes": name not in BOUNDS}
            for name, title in methods.items()
        ],
        "cases": [
            {
                "id": case.id,
                "domain": case.domain,
                "prompt": case.prompt,
                "images": of_case[case.id],
                "scores": [
                    [[values.get((name, case.id, k, metric)) for metric in records] for k in ks]
                    for name, ks in zip(methods, of_case[case.id], strict=True)
                ],
            }
            for case in cases
        ],
    }


def _by_image(
    scores: pd.DataFrame, methods: Mapping[str, str], records: Mapping[str, MetricFacts]
) -> dict[tuple[str, str, int, str], float]:
    """(method, case, k, metric) -> rounded score; a missing one (NaN) has no entry."""
    kept = scores[scores["method"].isin(methods) & scores["metric"].isin(records)].dropna(subset="value")
    rows = zip(kept["method"], kept["case"], kept["k"], kept["metric"], kept["value"], strict=True)
    return {
        (method, case, int(k), metric): round(float(value), records[metric].digits + MORE_DIGITS)
        for method, case, k, metric, value in rows
        if math.isfinite(value)
    }


def _write_inputs(folder: Path, cases: Sequence[Case]) -> None:
    """`<case>/background.png`, `mask.png` and `reference.png`, references shrunk to the size of the canvas."""
    if folder.exists():
        shutil.rmtree(folder)  # of an earlier run, which may have had other cases
    for case in cases:
        reference = case.reference.copy()
        reference.thumbnail((max(case.background.size),) * 2, Image.Resampling.LANCZOS)
        (folder / case.id).mkdir(parents=True)
        for name, picture in zip(INPUTS, (case.background, case.mask, reference), strict=True):
            picture.save(folder / case.id / f"{name}.png")
