"""What a table, its figures and its page all start from: the scores, their means, their differences, made once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from spin_bench.core.errors import UserError, unknown
from spin_bench.core.metric_record import MetricRecord
from spin_bench.report.legend import Rows
from spin_bench.report.sheet import Sheet, make_sheet
from spin_bench.statistics.comparison import compare, summarise


@dataclass(frozen=True, eq=False)
class Numbers:
    """Frames as `spin_bench.statistics.comparison` makes them, over the rows and columns of `sheet`."""

    scores: pd.DataFrame
    summary: pd.DataFrame
    pairs: pd.DataFrame
    sheet: Sheet


def numbers_of(
    scores: pd.DataFrame,
    *,
    methods: Rows,
    records: Mapping[str, MetricRecord],
    title: str,
    notes: Sequence[str],
    reasons: Mapping[str, str] | None = None,
) -> Numbers:
    """Make the numbers of one table: a row per method, a column per record, in their order.

    Both cover `scores` (`UserError` if not, or without a score); what they name beyond it becomes a row or column of
    dashes that is counted as missing. `reasons` says of a metric why it has no value at all.
    """
    if scores.empty:
        raise UserError(f"{title}: no scores to report, score some images first")
    check_known("method", scores["method"], methods)
    check_known("metric", scores["metric"], records)
    summary = summarise(scores, methods=list(methods), metrics=list(records))
    pairs = compare(scores, methods=list(methods), metrics=list(records))
    sheet = make_sheet(scores, summary, pairs, methods, records, title, notes, reasons or {})
    return Numbers(scores, summary, pairs, sheet)


def check_known(kind: str, names: pd.Series, known: Mapping[str, object]) -> None:
    """Raise `UserError` for the first of `names` that is not known, with the nearest one that is."""
    for name in sorted(set(names) - set(known)):
        raise unknown(kind, name, list(known))
