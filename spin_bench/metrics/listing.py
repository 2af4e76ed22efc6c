"""All records of metrics as one table for the terminal."""

from collections.abc import Mapping

from rich.table import Table
from rich.text import Text

from spin_bench.metrics.metric import CaseMetric, Metric
from spin_bench.metrics.registry import METRICS
from spin_bench.models.stack import Stack

KEY_DIGITS = 12  # of a record's key, enough to tell two apart


def metrics_table(stack: Stack, metrics: Mapping[str, Metric | CaseMetric] = METRICS) -> Table:
    """Show every field of every record, with the encoder and the key that `stack` gives it."""
    table = Table("metric", "value", "protocol", title=Text(f"metrics on stack {stack.name}"), show_lines=True)
    for name, metric in metrics.items():
        low, high = metric.range
        own = Text.assemble((name, "bold"), f"\nversion {metric.version}\n{metric.key(stack)[:KEY_DIGITS]}")
        better = f"{'higher' if metric.higher_is_better else 'lower'} is better"
        value = [metric.title, f"{low:g} to {high:g} {metric.unit}".rstrip(), better, f"{metric.digits} digits"]
        table.add_row(own, Text("\n".join(value)), _protocol(metric, stack))
    return table


def _protocol(metric: Metric | CaseMetric, stack: Stack) -> Text:
    rules = {
        "compares": metric.compares,
        "encoder": metric.encoder_name(stack) or "none",
        "weights": ", ".join(metric.uses) or "none",
        "crop": metric.crop,
        "resize": metric.resize,
        "mask": metric.mask,
        "colour": metric.colour,
        "aggregation": metric.aggregation,
        "missing": metric.missing,
        "source": metric.source,
        "fault": metric.fault,
        "falls on": ", ".join(metric.claims),
    }
    return Text("\n").join(Text.assemble((rule, "dim"), f" {text}") for rule, text in rules.items() if text)
