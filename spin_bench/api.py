"""The public surface: what a plug-in needs. Everything else may move between releases (CONTRIBUTING.md, Versions)."""

from spin_bench.core.case import Case
from spin_bench.core.errors import PaintingError, UserError
from spin_bench.core.metric_record import MetricRecord
from spin_bench.methods.method import Method
from spin_bench.methods.painter import Painter
from spin_bench.metrics.batch import Batch
from spin_bench.metrics.metric import CaseMetric, Metric, case_metric, metric
from spin_bench.models.stack import Stack

__all__ = [
    "Batch",
    "Case",
    "CaseMetric",
    "Method",
    "Metric",
    "MetricRecord",
    "Painter",
    "PaintingError",
    "Stack",
    "UserError",
    "case_metric",
    "metric",
]
