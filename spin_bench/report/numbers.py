"""What a table, its figures and its page all start from: the scores, their means, their differences, made once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from spin_bench.core.errors import UserError, check_known
from spin_bench.core.metric_record import MetricRecord
from spin_bench.report.legend import Rows
from spin_bench.report.sheet import Sheet, missing_values, size_of, winner
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
    check_known("method", sorted(set(scores["method"])), methods)
    check_known("metric", sorted(set(scores["metric"])), records)
    summary = summarise(scores, methods=list(methods), metrics=list(records))
    pairs = compare(scores, methods=list(methods), metrics=list(records))
    winners = {(winner(summary, pairs, methods, record, metric), metric) for metric, record in records.items()}
    unvalued = [f"{records[name].title} ({reason})" for name, reason in (reasons or {}).items()]
    sheet = Sheet(
        title=title,
        methods=methods,
        records=records,
        cells={(row.method, row.metric): (row.mean, row.lo, row.hi) for row in summary.itertuples()},
        best=frozenset((method, metric) for method, metric in winners if method is not None),
        size=size_of(scores, methods),
        missing=(
            *missing_values(scores, summary, methods, records),
            *([f"without any value: {'; '.join(unvalued)}"] if unvalued else []),
        ),
        notes=tuple(notes),
    )
    return Numbers(scores, summary, pairs, sheet)
