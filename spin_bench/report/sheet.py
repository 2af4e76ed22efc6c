"""One table before it has a format: which numbers, which of them stand out, and what must be said beside them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from spin_bench.core.metric_record import MetricRecord
from spin_bench.report.legend import Rows, competing
from spin_bench.report.wording import span
from spin_bench.statistics.comparison import per_case

# with fewer, not even a unanimous sign test reaches 5 % (2 / 2**5 = 0.06), whatever the bootstrap says
FEWEST_CASES = 6


@dataclass(frozen=True)
class Sheet:
    """What `markdown` and `latex` print."""

    title: str
    methods: Rows
    records: Mapping[str, MetricRecord]  # in column order
    cells: Mapping[tuple[str, str], tuple[float, float, float]]  # (method, metric) -> mean, lo, hi
    best: frozenset[tuple[str, str]]  # the cells that are printed bold
    size: str  # how many cases and images
    missing: tuple[str, ...]  # what has no value
    notes: tuple[str, ...]


def winner(summary: pd.DataFrame, pairs: pd.DataFrame, methods: Rows, record: MetricRecord, metric: str) -> str | None:
    """Find the method whose paired interval excludes 0, on its good side, against every other competing method.

    Bounding painters and methods without any value do not compete. None if there is no such method, nobody to
    compare it with, fewer than `FEWEST_CASES` shared cases, or no better end.
    """
    rows = summary[(summary["metric"] == metric) & summary["method"].isin(competing(methods)) & (summary["n"] > 0)]
    if record.higher_is_better is None or len(rows) < 2:
        return None
    sign = 1 if record.higher_is_better else -1
    best: str = rows.loc[(sign * rows["mean"]).idxmax(), "method"]
    rivals = set(rows["method"])
    for pair in pairs[pairs["metric"] == metric].itertuples():
        if best not in (pair.method_a, pair.method_b) or not rivals.issuperset((pair.method_a, pair.method_b)):
            continue
        lo, hi = (pair.lo, pair.hi) if best == pair.method_a else (-pair.hi, -pair.lo)  # of best - other
        ahead = lo > 0 if sign > 0 else hi < 0  # False for NaN, too
        if pair.n < FEWEST_CASES or not ahead:
            return None
    return best


def size_of(scores: pd.DataFrame, methods: Rows) -> str:
    """Count cases and images: `n = 12 cases (cartoon 6, real 6); images per case: 4 (Blended 32)`."""
    domains = scores.drop_duplicates("case")["domain"].value_counts().sort_index()
    images = scores.drop_duplicates(["method", "case", "k", "seed"]).groupby(["method", "case"]).size()
    of_method = images.index.get_level_values("method")
    titles = {method: row.title for method, row in methods.items()}
    counts = {name: span(images[of_method == method].tolist()) for method, name in titles.items()}
    usual = Counter(counts.values()).most_common(1)[0][0]
    others = ", ".join(f"{name} {count}" for name, count in counts.items() if count != usual)
    kinds = ", ".join(f"{domain} {count}" for domain, count in domains.items())
    return f"n = {domains.sum()} cases ({kinds}); images per case: {usual}" + (f" ({others})" if others else "")


def missing_values(
    scores: pd.DataFrame, summary: pd.DataFrame, methods: Rows, records: Mapping[str, MetricRecord]
) -> list[str]:
    """Write a line on the cases without a value, and one on images that are missing from a case that has others."""
    cases = {(row.method, row.metric): row.missing for row in summary.itertuples()}
    valued = per_case(scores)["value"].dropna().index
    empty = scores[scores["value"].isna()].set_index(["method", "metric", "case"]).index
    images = empty[empty.isin(valued)].droplevel("case").value_counts().to_dict()
    lines = []
    if any(cases.values()):
        lines.append(f"missing cases: {_counts(cases, methods, records)}")
    if images:
        lines.append(f"missing images (their case is the mean of its others): {_counts(images, methods, records)}")
    return lines or ["missing: none"]


def _counts(counts: Mapping[tuple[str, str], int], methods: Rows, records: Mapping[str, MetricRecord]) -> str:
    """`Spin: CLIP-I 2, LPIPS 1; BLD: LPIPS 3`, in the table's order and without zeros."""
    parts = []
    for method, row in methods.items():
        own = [(record.title, counts.get((method, metric), 0)) for metric, record in records.items()]
        if any(count for _, count in own):
            parts.append(f"{row.title}: " + ", ".join(f"{title} {count}" for title, count in own if count))
    return "; ".join(parts)
