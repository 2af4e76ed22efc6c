"""The gallery: one page with every case's inputs and every method's pictures beside their scores.

`index.html` holds its data, style and script; the pictures stay files beside it, found by relative paths. It needs no
server and no network.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from spin_bench.core.files import write_whole
from spin_bench.core.metric_record import MetricRecord
from spin_bench.report.about import About
from spin_bench.report.flags import Flags
from spin_bench.report.legend import Rows, method_colours
from spin_bench.report.made import made_line
from spin_bench.report.markdown import LEGEND
from spin_bench.report.numbers import Numbers
from spin_bench.report.overview import overview
from spin_bench.report.pages import page
from spin_bench.report.results import Results
from spin_bench.report.subsets import names_of, subsets

SCRIPTS = ("common.js", "compare.js", "gallery.js")
TABLES = ("table.md", "table.csv", "table.tex", "paired.csv", "subsets.csv", "subsets_paired.csv", "cost.csv")
FILES = (*TABLES, "scores.parquet", "config.yaml", "provenance.json")  # to link
FAILED, FLAGGED = "with a failure", "with a flagged picture"  # cases that the page can show alone
MORE_DIGITS = 2  # of a score in the page beyond those that are printed, so that sorting does not tie


def write_gallery(
    results: Results,
    numbers: Numbers,
    parts: Mapping[str, Numbers],
    *,
    figures: Sequence[Path],
    ballot: bool,
    flags: Flags,
) -> Path:
    """Write `index.html` into the results folder, which holds `inputs` and `images`; return the page.

    `parts` are the numbers of subsets of the cases, by name: choosing one of them shows its table and its cases.
    `figures` are files below the folder to show, the first one largest; `ballot` says that vote.html stands beside it,
    `flags` which pictures are of one colour.
    """
    about, folder = results.about, results.folder
    content = {
        "title": about.title,
        "notes": numbers.sheet.notes,
        "overviews": {"": overview(numbers.sheet, results.costs)}
        | {name: overview(part.sheet, results.costs) for name, part in parts.items()},
        "legend": LEGEND,
        "figures": [path.relative_to(folder).as_posix() for path in figures],
        "files": [name for name in FILES if (folder / name).exists()],
        "made": made_line(results.provenance),
        "ballot": ballot,
        "data": _data(about, results.painters, _by_image(numbers.scores, results.painters, about.records), flags),
    }
    index = folder / "index.html"
    write_whole(index, page("index.html.j2", scripts=SCRIPTS, values=content))
    return index


def _data(
    about: About, methods: Rows, values: Mapping[tuple[str, str, int, str], float], flags: Flags
) -> dict[str, object]:
    """What the page's script reads: a case's `scores` are indexed by method, image, metric, null if missing.

    A case's `failures` and `flags` are indexed by method: why images are missing, and which ones are of one colour.
    """
    colours = method_colours(methods)
    better = {True: 1, False: -1, None: 0}
    of_case = {case.id: [about.painted.get((name, case.id), ()) for name in methods] for case in about.cases}
    odd = {FAILED: {case for _, case in about.failures}, FLAGGED: {case for _, case, _ in flags}}
    return {
        "subsets": [*subsets(about.cases), *(name for name, cases in odd.items() if cases)],
        "metrics": [
            {"title": r.title, "unit": r.unit, "digits": r.digits, "better": better[r.higher_is_better]}
            for r in about.records.values()
        ],
        "methods": [
            {"name": name, "title": row.title, "colour": colours[name], "competes": not row.bound}
            for name, row in methods.items()
        ],
        "cases": [
            {
                **asdict(case),
                "subsets": [*names_of(case), *(name for name, cases in odd.items() if case.id in cases)],
                "failures": [about.failures.get((name, case.id), "") for name in methods],
                "flags": [
                    {k: flags[name, case.id, k] for k in ks if (name, case.id, k) in flags}
                    for name, ks in zip(methods, of_case[case.id], strict=True)
                ],
                "images": of_case[case.id],
                "scores": [
                    [[values.get((name, case.id, k, metric)) for metric in about.records] for k in ks]
                    for name, ks in zip(methods, of_case[case.id], strict=True)
                ],
            }
            for case in about.cases
        ],
    }


def _by_image(
    scores: pd.DataFrame, methods: Rows, records: Mapping[str, MetricRecord]
) -> dict[tuple[str, str, int, str], float]:
    """(method, case, k, metric) -> rounded score; a missing one (NaN) has no entry."""
    kept = scores[scores["method"].isin(methods) & scores["metric"].isin(records)].dropna(subset="value")
    rows = zip(kept["method"], kept["case"], kept["k"], kept["metric"], kept["value"], strict=True)
    return {
        (method, case, int(k), metric): round(float(value), records[metric].digits + MORE_DIGITS)
        for method, case, k, metric, value in rows
    }
