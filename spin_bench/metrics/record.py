"""What a metric is: a function with its protocol written down, frozen and hashed."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from spin_bench.identity import key_of
from spin_bench.metrics.batch import Batch
from spin_bench.stack import Stack


@dataclass(frozen=True)
class Metric:
    """`compute` maps a batch to (n,) values, NaN where one is missing."""

    name: str
    title: str  # in tables
    version: str
    higher_is_better: bool
    range: tuple[float, float]
    unit: str
    digits: int
    encoder_of: Callable[[Stack], str]
    uses: tuple[str, ...]  # parts of the stack that it reads
    protocol: str  # crop, mask, resize and colour rules in one sentence
    compute: Callable[[Batch], Tensor]

    def key(self, stack: Stack) -> str:
        """Identity of its scores: another protocol, version or encoder gives other scores."""
        return key_of([self.name, self.version, self.protocol, self.encoder_of(stack), stack.weights(self.uses)])

    def printed(self, stack: Stack) -> "PrintedMetric":
        return PrintedMetric(
            self.name, self.title, self.higher_is_better, self.unit, self.digits, self.encoder_of(stack)
        )


@dataclass(frozen=True)
class PrintedMetric:
    """What a table says of a metric; see `spin_bench.report.facts.MetricFacts`."""

    name: str
    title: str
    higher_is_better: bool
    unit: str
    digits: int
    encoder: str
