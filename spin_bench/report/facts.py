"""What a table has to know of a metric, and how a number is written."""

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

BOUNDS = ("copy_paste", "oracle")  # painters that bound the metrics from below and above; they never compete
DASH = "\N{EN DASH}"  # for a missing value and between the ends of a range


class MetricFacts(Protocol):
    """The part of a metric's record that is printed."""

    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str: ...

    @property
    def higher_is_better(self) -> bool | None: ...  # None: neither end is better

    @property
    def unit(self) -> str: ...  # "" without one

    @property
    def digits(self) -> int: ...  # after the decimal point

    @property
    def encoder(self) -> str: ...  # "" without one


@dataclass(frozen=True)
class Facts:
    """`MetricFacts` as a results folder keeps them."""

    name: str
    title: str
    higher_is_better: bool | None = True
    unit: str = ""
    digits: int = 3
    encoder: str = ""


def direction(facts: MetricFacts, *, up: str = "↑", down: str = "↓") -> str:
    """The arrow that points at the better end, or "" """
    if facts.higher_is_better is None:
        return ""
    return up if facts.higher_is_better else down


def header(facts: MetricFacts) -> str:
    """A column's head: title, unit, direction."""
    return " ".join(part for part in (facts.title, facts.unit and f"({facts.unit})", direction(facts)) if part)


def number(value: float, digits: int) -> str:
    """Fixed point, a dash for NaN, and no negative zero."""
    return DASH if math.isnan(value) else f"{round(value, digits) + 0.0:.{digits}f}"


def interval(lo: float, hi: float, digits: int) -> str:
    """`[lo, hi]`, or "" where there is none."""
    return "" if math.isnan(lo) else f"[{number(lo, digits)}, {number(hi, digits)}]"


def span(counts: Collection[int]) -> str:
    """`4`, or `2-4` where they differ."""
    low, high = min(counts, default=0), max(counts, default=0)
    return f"{low}" if low == high else f"{low}{DASH}{high}"
