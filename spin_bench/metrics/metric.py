"""A metric: a formula and its record, joined by a decorator beside the formula."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache, partial
from typing import Any, TypeVar

from torch import Tensor

from spin_bench.core.identity import key_of
from spin_bench.core.metric_record import MetricRecord
from spin_bench.core.source import source_digest
from spin_bench.metrics.batch import Batch
from spin_bench.metrics.extra_encoders import ENCODERS
from spin_bench.models.stack import Stack

COSINE = (-1.0, 1.0)  # the range of a cosine
OF_THE_STACK = ("clip", "perceptual")  # encoders that differ from stack to stack
TEXT = ("clip", "tokenizer")  # parts that a comparison with words uses
BOX = "tight box of the mask, padded to a square with mid-grey"
CROPPED = "bicubic, antialiased, to 128 px, then the encoder's own"
OF_CROP = {"crop": BOX, "resize": CROPPED}
OF_OBJECT = {
    **OF_CROP,
    "compares": "painted crop with the reference's object",
    "mask": "reference on mid-grey outside its own mask (the whole photo where it has none)",
}
NO_PROTOCOL = ("compute", "claims")  # what does not move the number: the function, and what is promised of it

M = TypeVar("M", bound="Scored")


@dataclass(frozen=True, kw_only=True)
class Scored(MetricRecord):
    """A record that knows the stack it is computed on."""

    @property
    def extra(self) -> bool:
        """True if neither a stack nor every installation carries its encoder."""
        return self.encoder in ENCODERS and not ENCODERS[self.encoder].shipped

    def encoder_name(self, stack: Stack) -> str:
        """Name the network that sees the pictures: the stack's own, also for a preset that was published on another."""
        if self.encoder in ENCODERS:
            return ENCODERS[self.encoder].name
        return getattr(stack, self.encoder).name if self.encoder else ""

    def protocol(self) -> dict[str, object]:
        """Return every field of the record that moves the number."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name not in NO_PROTOCOL}

    @property
    def code(self) -> str:
        """Digest of a plug-in's code, 64 hex digits; "" for a built-in formula, whose version tells of a change."""
        return _plug_in_code(getattr(self, "compute", None))

    def key(self, stack: Stack) -> str:
        """Identify its scores, 64 hex digits: another protocol, version, encoder or weights gives another key.

        So does other code of a plug-in.
        """
        parts = [part for part in self.uses if part not in ENCODERS]  # the others are named by their encoder
        code = [self.code] if self.code else []
        return key_of([self.protocol(), self.encoder_name(stack), stack.weights(parts), *code])

    def printed(self, stack: Stack) -> MetricRecord:
        """Return the record for a table of `stack`; its title says if an embedded network saw the pictures."""
        title = f"{self.title}@mini" if stack.name == "mini" and self.encoder in OF_THE_STACK else self.title
        record = MetricRecord(**{field.name: getattr(self, field.name) for field in fields(MetricRecord)})
        return replace(record, title=title, encoder=self.encoder_name(stack))


@dataclass(frozen=True, kw_only=True)
class Metric(Scored):
    """A value of each picture: `compute` maps a batch of n pictures to (n,) values, NaN if one is missing."""

    compute: Callable[[Batch], Tensor]

    def __call__(self, batch: Batch) -> Tensor:
        return self.compute(batch)


@dataclass(frozen=True, kw_only=True)
class CaseMetric(Scored):
    """A value of all pictures of a case: `compute` maps a batch of one case to its value, NaN if it is missing."""

    compute: Callable[[Batch], float]

    def __call__(self, batch: Batch) -> float:
        return self.compute(batch)

    def group_key(self, stack: Stack, ks: Sequence[int]) -> str:
        """Identify the score of the images `ks` alone: with one more image it is another number."""
        return key_of([self.key(stack), sorted(ks)])


@cache
def _plug_in_code(compute: Callable[..., object] | None) -> str:
    module = getattr(compute, "__module__", None) or "spin_bench"  # a builtin has none
    project = module.partition(".")[0]
    return "" if project == "spin_bench" else source_digest([module], within={project})


def metric(*, title: str, preset: str = "", **record: Any) -> Callable[[Callable[[Batch], Tensor]], Metric]:
    """Make a formula (n pictures to n values) a metric that is named like the function.

    `record` are fields of `MetricRecord`; `uses` is the encoder if it is not given. `preset` ends both name and title,
    after an @.
    """
    return _joined(Metric, title, preset, record)


def case_metric(*, title: str, preset: str = "", **record: Any) -> Callable[[Callable[[Batch], float]], CaseMetric]:
    """Make a formula (all pictures of one case to one value) a metric; as `metric` otherwise."""
    return _joined(CaseMetric, title, preset, record)


def _joined(
    kind: Callable[..., M], title: str, preset: str, record: dict[str, Any]
) -> Callable[[Callable[[Batch], Any]], M]:
    suffix = f"@{preset}" if preset else ""
    facts = {"uses": tuple(filter(None, [record.get("encoder")])), **record}

    def join(compute: Callable[[Batch], Any]) -> M:
        return kind(name=f"{compute.__name__}{suffix}", title=f"{title}{suffix}", compute=compute, **facts)

    return join


# what the records of one encoder share
by_clip = partial(metric, higher_is_better=True, range=COSINE, encoder="clip")
by_words = partial(by_clip, uses=TEXT)
by_lpips = partial(metric, higher_is_better=False, range=(0, 4), encoder="perceptual")
