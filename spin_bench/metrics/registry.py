"""The metrics by name, and all their records as one table."""

from collections.abc import Collection, Mapping, Sequence
from itertools import chain

from rich.table import Table

from spin_bench.core.errors import unknown
from spin_bench.metrics import claims, coherence, diversity, preservation, quality, similarity
from spin_bench.metrics.presets import brushnet, hdpainter, pbe, piebench, tficon
from spin_bench.metrics.record import CaseMetric, Metric, Record
from spin_bench.models.stack import Stack

KEY_DIGITS = 12  # of a record's key, enough to tell two apart

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in chain(
        similarity.METRICS,
        coherence.METRICS,
        preservation.METRICS,
        claims.METRICS,
        tficon.METRICS,
        pbe.METRICS,
        brushnet.METRICS,
        piebench.METRICS,
        hdpainter.METRICS,
        quality.METRICS,
    )
}

CASE_METRICS: dict[str, CaseMetric] = {metric.name: metric for metric in diversity.CASE_METRICS}


def chosen(names: Sequence[str], known: Collection[str]) -> list[str]:
    """Names of metrics among `known`, "@<preset>" standing for all of a preset's; `UserError` for an unknown one."""
    presets = {f"@{name.partition('@')[2]}" for name in known if "@" in name}
    found: dict[str, None] = {}
    for name in names:
        if name.startswith("@") and name not in presets:
            raise unknown("preset", name, sorted(presets))
        if not name.startswith("@") and name not in known:
            raise unknown("metric", name, list(known))
        found |= dict.fromkeys([each for each in known if each.endswith(name)] if name.startswith("@") else [name])
    return list(found)


def metrics_table(stack: Stack, metrics: Mapping[str, Record] | None = None) -> Table:
    """Every field of every record (default: all there are), with the encoder and the key that `stack` gives it."""
    table = Table("metric", "value", "protocol", title=f"metrics on stack {stack.name}", show_lines=True)
    shown: Mapping[str, Record] = {**METRICS, **CASE_METRICS} if metrics is None else metrics
    for name, metric in shown.items():
        low, high = metric.range
        parts = [f"[bold]{name}[/bold]", f"version {metric.version}", metric.key(stack)[:KEY_DIGITS]]
        better = f"{'higher' if metric.higher_is_better else 'lower'} is better"
        value = [metric.title, f"{low:g} to {high:g} {metric.unit}".rstrip(), better, f"{metric.digits} digits"]
        table.add_row("\n".join(parts), "\n".join(value), "\n".join(_rules(metric, stack)))
    return table


def _rules(metric: Record, stack: Stack) -> list[str]:
    named = {
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
    return [f"[dim]{rule}[/dim] {text}" for rule, text in named.items() if text]
