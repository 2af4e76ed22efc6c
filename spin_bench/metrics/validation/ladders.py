"""Whether a metric measures what it claims: its course over ladders of known faults.

A metric is to fall in order over the ladders that its record claims, and to stay flat on all others. The evidence is a
long frame of values (one row a picture), and a matrix of one row a metric and ladder.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL.Image import Image
from scipy.stats import spearmanr

from spin_bench.core.case import Case
from spin_bench.metrics.batch import Batch
from spin_bench.metrics.case_features import CaseFeatures, portions
from spin_bench.metrics.extra_encoders import Encoders
from spin_bench.metrics.metric import Metric
from spin_bench.metrics.validation.degradations import SEVERITIES, Ladder
from spin_bench.models.stack import Stack

VALUES = ["metric", "ladder", "severity", "case", "value"]
MATRIX = [
    *("metric", "ladder", "claimed", "order", "order_of_cases", "fall", "drift", "of_span", "n", "missing", "passes")
]
ORDERED = 0.95  # Spearman's correlation that a claimed ladder needs
FLAT = 0.1  # of a metric's range, which an unclaimed ladder may not exceed
TOGETHER = 32  # cases an encoder sees at once


def measure(
    metrics: Sequence[Metric], ladders: Sequence[Ladder], cases: Sequence[Case], stack: Stack
) -> Iterator[pd.DataFrame]:
    """Compute every metric for every case on every rung: a frame with columns `VALUES` per portion and ladder."""
    encoders = Encoders(stack.device)
    for group in portions(cases, TOGETHER):
        about = CaseFeatures(group, stack, encoders)
        truths = _rung(metrics, about, [ladders[0].paint(case, 0) for case in group])
        for ladder in ladders:
            rungs = [truths.assign(severity=0)]
            for severity in range(1, SEVERITIES):
                pictures = [ladder.paint(case, severity) for case in group]
                rungs.append(_rung(metrics, about, pictures).assign(severity=severity))
            yield pd.concat(rungs, ignore_index=True).assign(ladder=ladder.name)[VALUES]


@torch.no_grad()
def _rung(metrics: Sequence[Metric], about: CaseFeatures, pictures: list[Image]) -> pd.DataFrame:
    """Every metric's value of one picture a case: columns metric, case, value."""
    batch = Batch(about.cases, pictures, about.stack, about)
    rows = [
        (metric.name, case.id, value)
        for metric in metrics
        for case, value in zip(about.cases, metric.compute(batch).tolist(), strict=True)
    ]
    return pd.DataFrame(rows, columns=["metric", "case", "value"])


def matrix(values: pd.DataFrame, metrics: Iterable[Metric]) -> pd.DataFrame:
    """Sum up what `measure` yielded: a row per metric and ladder with columns `MATRIX`.

    `order` is Spearman's correlation of severity and the mean over cases, 1 where the metric worsens at every step;
    `order_of_cases` is the mean of the same correlation within each case, 0 for a case on which nothing changes.
    `fall` is how much worse the last rung is than the truth, `drift` the largest difference of any rung from the
    truth, both of the means and in units of the metric's range; `of_span` is that drift in units of the metric's
    largest on any ladder. A case with a missing value counts on no rung.
    """
    rows = []
    for metric in metrics:
        own = values[values["metric"] == metric.name]
        for name in own["ladder"].unique():
            table = own[own["ladder"] == name].pivot(index="case", columns="severity", values="value")
            rows.append((metric.name, name, *_course(table.to_numpy(), metric, claimed=name in metric.claims)))
    table = pd.DataFrame(rows, columns=[name for name in MATRIX if name != "of_span"])
    span = table.groupby("metric")["drift"].transform("max")
    return table.assign(of_span=(table["drift"] / span.where(span > 0)).fillna(0.0))[MATRIX]


def _course(
    values: NDArray[np.float64], metric: Metric, *, claimed: bool
) -> tuple[bool, float, float, float, float, int, int, bool]:
    """The columns of `MATRIX` after the names but `of_span`, from values (cases, severities)."""
    whole: NDArray[np.float64] = values[~np.isnan(values).any(axis=1)]
    missing = len(values) - len(whole)
    if not len(whole):
        return claimed, np.nan, np.nan, np.nan, np.nan, 0, missing, False
    worse = whole if not metric.higher_is_better else -whole
    means = worse.mean(axis=0)
    steps = (means - means[0]) / (metric.range[1] - metric.range[0])
    order, of_cases = _order(means), float(np.mean([_order(case) for case in worse]))
    fall, drift = float(steps[-1]), float(np.abs(steps).max())
    passes = order >= ORDERED if claimed else drift <= FLAT
    return claimed, order, of_cases, fall, drift, len(whole), missing, passes


def _order(worse: NDArray[np.float64]) -> float:
    """Spearman's correlation of values with their positions, 0 if they are all the same."""
    if np.ptp(worse) == 0:
        return 0.0
    return float(spearmanr(np.arange(len(worse)), worse).statistic)
