"""What a metric is: a function with its whole protocol written down, frozen and hashed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

from torch import Tensor

from spin_bench.core.identity import key_of
from spin_bench.metrics.batch import Batch
from spin_bench.metrics.encoders import ENCODERS
from spin_bench.models.stack import Stack

COSINE = (-1.0, 1.0)  # the range of a cosine
PERCENT = (0.0, 100.0)
OF_THE_STACK = ("clip", "perceptual")  # encoders that differ from stack to stack
MEAN_OF_IMAGES = "mean over a case's images, then over cases"


@dataclass(frozen=True)
class PrintedMetric:
    """What a table says of a metric; see `spin_bench.report.facts.MetricFacts`."""

    name: str
    title: str
    higher_is_better: bool
    unit: str
    digits: int
    encoder: str


@dataclass(frozen=True, kw_only=True)
class Record:
    """Every choice that moves a metric's number, in words; a preset's name ends in @ and its protocol."""

    name: str
    title: str  # in tables
    version: str = "1"
    higher_is_better: bool
    range: tuple[float, float]
    unit: str = ""
    digits: int = 3  # printed after the decimal point
    encoder: str = ""  # the part of the stack that sees the pictures; "" where they are compared pixel by pixel
    uses: tuple[str, ...] = ()  # parts of the stack that the value depends on
    compares: str  # what with what
    crop: str = "none"
    resize: str = "none but the encoder's own"
    mask: str = "none"
    colour: str = "8-bit RGB as floats in [-1, 1]"
    aggregation: str = MEAN_OF_IMAGES
    missing: str = "never"
    source: str = "spin_bench"
    fault: str = ""  # of a protocol that is reproduced as published
    claims: tuple[str, ...] = ()  # ladders of known faults that it falls on; it promises to stay flat on all others

    @property
    def extra(self) -> bool:
        """Whether its encoder is one that neither a stack nor every installation carries."""
        return self.encoder in ENCODERS and not ENCODERS[self.encoder].shipped

    def encoder_name(self, stack: Stack) -> str:
        """Of the stack's own network: a preset keeps its protocol, not its original encoder."""
        if self.encoder in ENCODERS:
            return ENCODERS[self.encoder].name
        return getattr(stack, self.encoder).name if self.encoder else ""

    def protocol(self) -> dict[str, object]:
        """Every field of the record that moves the number: all but the function and what is promised of it."""
        told = (field.name for field in fields(self))
        return {name: getattr(self, name) for name in told if name not in ("compute", "claims")}

    def key(self, stack: Stack) -> str:
        """Identity of its scores: another protocol, version, encoder or weights gives other scores."""
        return key_of(
            [
                self.protocol(),
                self.encoder_name(stack),
                stack.weights([part for part in self.uses if part not in ENCODERS]),
            ]
        )

    def printed(self, stack: Stack) -> PrintedMetric:
        """For a table of `stack`: what the embedded networks see is said in the title, too."""
        title = f"{self.title}@mini" if stack.name == "mini" and self.encoder in OF_THE_STACK else self.title
        return PrintedMetric(self.name, title, self.higher_is_better, self.unit, self.digits, self.encoder_name(stack))


@dataclass(frozen=True, kw_only=True)
class Metric(Record):
    """A value of one picture: `compute` maps a batch to (n,) values, NaN where one is missing."""

    compute: Callable[[Batch], Tensor]


@dataclass(frozen=True, kw_only=True)
class CaseMetric(Record):
    """A value of all pictures of a case: `compute` takes a batch of one case and returns its value, NaN if missing."""

    compute: Callable[[Batch], float]

    def group_key(self, stack: Stack, ks: Sequence[int]) -> str:
        """Identity of the score of just these images: with one more image it is another number."""
        return key_of([self.key(stack), sorted(ks)])
