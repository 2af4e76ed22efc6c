"""What is known of a metric, from its formula to the page that prints it."""

import math
from dataclasses import dataclass

MEAN_OF_IMAGES = "mean over a case's images, then over cases"


@dataclass(frozen=True, kw_only=True)
class MetricRecord:
    """Every choice that moves a metric's number, in words, and how the number is printed.

    A preset's name ends in @ and its protocol. A results folder keeps the printed part alone: read back from there,
    `encoder` is the name of a network and the protocol is empty.
    """

    name: str
    title: str  # in tables
    version: str = "1"
    higher_is_better: bool | None  # None: neither end is better
    range: tuple[float, float] = (-math.inf, math.inf)
    unit: str = ""
    digits: int = 3  # printed after the decimal point
    encoder: str = ""  # the part of the stack that sees the pictures; "" if they are compared pixel by pixel
    uses: tuple[str, ...] = ()  # parts of the stack that the value depends on
    compares: str = ""  # what with what
    crop: str = "none"
    resize: str = "none but the encoder's own"
    mask: str = "none"
    colour: str = "8-bit RGB as floats in [-1, 1]"
    aggregation: str = MEAN_OF_IMAGES
    missing: str = "never"
    source: str = "spin_bench"
    fault: str = ""  # of a protocol that is reproduced as published
    claims: tuple[str, ...] = ()  # ladders of known faults that it falls on; it promises to stay flat on all others
