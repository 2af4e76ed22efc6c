"""How a page says things: how a column is headed, how a number is written."""

import math
from collections.abc import Collection

from spin_bench.core.metric_record import MetricRecord

DASH = "\N{EN DASH}"  # for a missing value and between the ends of a range


def direction(record: MetricRecord) -> str:
    """Return the arrow that points at the better end, or "" if neither is."""
    return {True: "↑", False: "↓", None: ""}[record.higher_is_better]


def header(record: MetricRecord) -> str:
    """Head a column: title, unit, direction."""
    return " ".join(part for part in (record.title, record.unit and f"({record.unit})", direction(record)) if part)


def number(value: float, digits: int) -> str:
    """Write a number in fixed point, NaN as a dash, without a negative zero."""
    return DASH if math.isnan(value) else f"{round(value, digits) + 0.0:.{digits}f}"


def interval(lo: float, hi: float, digits: int) -> str:
    """Write `[lo, hi]`, or "" if there is no interval."""
    return "" if math.isnan(lo) else f"[{number(lo, digits)}, {number(hi, digits)}]"


def span(counts: Collection[int]) -> str:
    """Write counts as `4`, or `2-4` if they differ."""
    low, high = min(counts, default=0), max(counts, default=0)
    return f"{low}" if low == high else f"{low}{DASH}{high}"
