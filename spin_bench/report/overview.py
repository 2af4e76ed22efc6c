"""The table at the top of the page: the sheet's numbers with their intervals drawn to scale, and what they cost."""

import math
from collections.abc import Mapping

import pandas as pd

from spin_bench.core.metric_record import MetricRecord
from spin_bench.report.legend import method_colours
from spin_bench.report.markdown import BETTER
from spin_bench.report.sheet import Sheet
from spin_bench.report.wording import DASH, direction, interval, number

Values = dict[str, object]


def overview(sheet: Sheet, costs: pd.DataFrame) -> Values:
    """Make what the page's template prints: `columns`, one a metric, and `rows`, one a method with a cell for each.

    `costs` is cost.csv. A cell's `lo`, `at` and `hi` are percents of its column's width.
    """
    colours = method_colours(sheet.methods)
    spent = costs.set_index("method").reindex(list(sheet.methods))
    scales = {metric: _scale(sheet, metric) for metric in sheet.records}
    rows = []
    for name, row in sheet.methods.items():
        cells = [_cell(sheet, name, metric, scales[metric]) for metric in sheet.records]
        rows.append(
            {
                "name": name,
                "title": row.title,
                "colour": colours[name],
                "bound": row.bound,
                "cells": cells,
                "seconds": number(spent.at[name, "seconds_per_image"], 2),
                "memory": number(spent.at[name, "peak_memory_mb"], 0),
            }
        )
    return {
        "size": sheet.size,
        "missing": " ".join(f"{line[:1].upper()}{line[1:]}." for line in sheet.missing),
        "columns": [_column(record) for record in sheet.records.values()],
        "rows": rows,
        "memory_known": any(row["memory"] != DASH for row in rows),
    }


def _column(record: MetricRecord) -> Values:
    about = [BETTER[direction(record)], f"encoder: {record.encoder or 'none'}", record.name]
    return {"title": record.title, "unit": record.unit, "arrow": direction(record), "about": "; ".join(about)}


def _scale(sheet: Sheet, metric: str) -> tuple[float, float]:
    """The least and the greatest of a column's means and ends."""
    values = [v for (_, m), cell in sheet.cells.items() if m == metric for v in cell if not math.isnan(v)]
    return min(values, default=0.0), max(values, default=0.0)


def _cell(sheet: Sheet, method: str, metric: str, scale: tuple[float, float]) -> Mapping[str, object]:
    mean, lo, hi = sheet.cells[method, metric]
    digits = sheet.records[metric].digits
    low, high = scale
    drawn = {
        name: None if math.isnan(value) or high == low else round(100 * (value - low) / (high - low), 2)
        for name, value in (("lo", lo), ("at", mean), ("hi", hi))
    }
    return {
        "text": number(mean, digits),
        "interval": interval(lo, hi, digits),
        "best": (method, metric) in sheet.best,
        **drawn,
    }
