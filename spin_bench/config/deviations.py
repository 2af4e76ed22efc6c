"""Where a run leaves the published defaults, and why."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from spin_bench.core.identity import leaves
from spin_bench.methods.method import Method
from spin_bench.models.config import StackConfig

ASKED = "set for this run"


def deviations(settings: Mapping[str, Any], known: Mapping[str, Method], stack: StackConfig) -> Iterator[str]:
    """A line per setting that is not the published one, with the stack's reason if its value is the stack's."""
    overridden = leaves(stack.overrides)
    for row, own in settings.items():
        method = known[row].variant_of or row
        for name, published, value in _differing(known[row].settings(), own):
            place = f"{method}.{name}"
            is_the_stack_s = place in overridden and overridden[place] == value
            reason = stack.reasons.get(place, ASKED) if is_the_stack_s else ASKED
            yield f"{known[row].title}: {name}={value} (default {published}): {reason}"


def _differing(published: Any, settings: Any, prefix: str = "") -> Iterator[tuple[str, object, object]]:
    """(dotted name, published value, value) of every leaf in which two instances of one dataclass differ."""
    for field in fields(published):
        before, after = getattr(published, field.name), getattr(settings, field.name)
        if is_dataclass(before):
            yield from _differing(before, after, f"{prefix}{field.name}.")
        elif before != after:
            yield f"{prefix}{field.name}", before, after
