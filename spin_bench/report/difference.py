"""What differs between two results folders: what they were made with, and which numbers moved."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from spin_bench.core.identity import leaves
from spin_bench.report.results import Results
from spin_bench.statistics.comparison import per_case, summarise, summarise_cases

ABSENT = "none"  # a value that one side does not have
MOVES = ["method", "metric", "mean_a", "lo_a", "hi_a", "mean_b", "lo_b", "hi_b", "diff", "lo", "hi", "n", "moved"]
# Parts of the provenance that are compared, in the order to print them. Paths and times differ for no reason of a
# result's, and a method's key only says that something else differs.
PARTS = ("methods", "samples", "seeds", "dataset", "stack", "metrics", "weights", "code", "packages", "machine")
ROWS = ("methods", "samples", "metrics")  # of these, what both have is compared
PASSED_OVER = ("root", "key")


def differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, list[tuple[str, str, str]]]:
    """Compare two provenances: part -> (name, value of a, value of b) of what differs; equal parts are left out."""
    parts = {}
    for part in PARTS:
        before, after = a.get(part, {}), b.get(part, {})
        if part in ROWS:
            before, after = _common(before, after), _common(after, before)
        both = leaves(before), leaves(after)
        names = [name for name in dict.fromkeys([*both[0], *both[1]]) if name.rpartition(".")[2] not in PASSED_OVER]
        values = [(name, *(str(side.get(name, ABSENT)) for side in both)) for name in names]
        lines = [(name, old, new) for name, old, new in values if old != new]
        if lines:
            parts[part] = lines
    return parts


def _common(side: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in side.items() if name in other}


def moves(a: Results, b: Results) -> pd.DataFrame:
    """Compare every number that both have: columns `MOVES`.

    `moved` where each mean lies outside the other's interval. `diff` is the mean of b - a over the `n` cases that both
    have a value of, with its paired interval.
    """
    rows = [name for name in a.about.methods if name in b.about.methods]
    columns = [name for name in a.about.records if name in b.about.records]
    index = ["method", "metric"]
    left, right = (summarise(side.scores, methods=rows, metrics=columns).set_index(index) for side in (a, b))
    values_a, values_b = (per_case(side.scores, methods=rows, metrics=columns) for side in (a, b))
    paired = summarise_cases(values_b - values_a).set_index(index)  # cases that one side lacks are NaN
    table = left.join(right, lsuffix="_a", rsuffix="_b").join(paired[["mean", "lo", "hi", "n"]])
    table = table.rename(columns={"mean": "diff"})
    b_outside = (table["mean_b"] < table["lo_a"]) | (table["mean_b"] > table["hi_a"])
    a_outside = (table["mean_a"] < table["lo_b"]) | (table["mean_a"] > table["hi_b"])
    return table.assign(moved=a_outside & b_outside).reset_index()[MOVES]
