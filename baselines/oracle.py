"""The upper bound: the true composite, where the benchmark knows it."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from spin_bench.core.case import Case
from spin_bench.core.errors import UserError
from spin_bench.methods.method import Method
from spin_bench.methods.painter import Painter
from spin_bench.models.stack import Stack

VERSION = "1"


@dataclass(frozen=True)
class OracleSettings:
    """Nothing to set."""


def oracle(settings: OracleSettings, stack: Stack) -> Painter:
    """Build a painter that returns the true composite; it raises `UserError` for a case without one."""

    def paint(case: Case, seeds: Sequence[int]) -> list[Image.Image]:
        if case.truth is None:
            raise UserError(f"case {case.id}: this benchmark knows no true composite: leave oracle out of methods")
        return [case.truth.copy() for _ in seeds]

    return paint


METHOD = Method(
    "oracle",
    OracleSettings,
    oracle,
    VERSION,
    uses=(),
    colour="#555555",
    bound=True,
    seeded=False,
    needs=("truth",),
)
