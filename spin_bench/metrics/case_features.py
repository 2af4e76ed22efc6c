"""What metrics read of the cases themselves, once a case for however many pictures, metrics and methods."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from torch import Tensor

from spin_bench.core.case import Case
from spin_bench.metrics.extra_encoders import Encoders
from spin_bench.models.stack import Stack

T = TypeVar("T")

TOGETHER = 16  # pictures that an encoder sees at once, no more and no fewer: see `padded`


def padded(items: Sequence[T]) -> list[T]:
    """Repeat the last of at most TOGETHER items until they are that many.

    Kernels round sums by the size of their batch. In batches of one size a picture's features are the same whichever
    pictures lie beside it, so a score does not depend on who computed it together with what.
    """
    return [*items, *[items[-1]] * (TOGETHER - len(items))]


def portions(items: Sequence[T], size: int | None = None) -> list[Sequence[T]]:
    """Split items into portions of `size` (TOGETHER if it is None), the last one smaller."""
    size = size or TOGETHER
    return [items[first : first + size] for first in range(0, len(items), size)]


def encoded(pictures: Sequence[Tensor], encode: Callable[[Tensor], Tensor]) -> Tensor:
    """Encode pictures (1, 3, h, w) into rows in their order; those of one size go in batches of TOGETHER."""
    rows: dict[int, Tensor] = {}
    for size in dict.fromkeys(picture.shape for picture in pictures):
        places = [place for place, picture in enumerate(pictures) if picture.shape == size]
        for some in portions(places):
            rows.update(zip(some, encode(torch.cat([pictures[place] for place in padded(some)])), strict=False))
    return torch.stack([rows[place] for place in range(len(pictures))])


@dataclass(frozen=True, eq=False)
class CaseFeatures:
    """Features of a few cases, kept while the pictures that methods painted for them are scored."""

    cases: Sequence[Case]  # of different ids
    stack: Stack
    encoders: Encoders
    kept: dict[str, Tensor] = field(default_factory=dict)  # kind -> rows

    def of(self, kind: str, picture_of: Callable[[Case], Tensor], encode: Callable[[Tensor], Tensor]) -> Tensor:
        """Encode one picture a case into a row a case, once; `kind` names the pair of functions."""
        if kind not in self.kept:
            self.kept[kind] = encoded([picture_of(case) for case in self.cases], encode)
        return self.kept[kind]

    def texts(self, texts: Sequence[str]) -> Tensor:
        """Encode texts by CLIP into (texts, width), every list of them once."""
        words = tuple(texts)
        if words not in self.encoders.texts:
            known = list(dict.fromkeys(texts))
            self.encoders.texts[words] = self.stack.clip.encode_text(known)[[known.index(text) for text in texts]]
        return self.encoders.texts[words]
