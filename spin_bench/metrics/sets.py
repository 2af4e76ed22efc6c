"""The distances of whole sets by name: which features, which formula."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from spin_bench.core.errors import unknown
from spin_bench.metrics.set_level import check_fid, clip_mmd, frechet, kid_of_unit


@dataclass(frozen=True)
class SetMetric:
    """Smaller is better for all of them."""

    title: str
    encoder: str  # the part of the stack, or the extra encoder, whose features are compared
    distance: Callable[[Tensor, Tensor], Tensor]
    digits: int
    subsets: bool = True  # mean over random subsets; False: the whole sets at once


SET_METRICS: dict[str, SetMetric] = {
    "kid": SetMetric("KID", "judge", kid_of_unit, 3),
    "clip_mmd": SetMetric("CLIP-MMD", "clip", clip_mmd, 3),
    "fid": SetMetric("FID", "inception", frechet, 2, subsets=False),
}


def known_distances(names: Sequence[str]) -> list[str]:
    """`names`; `UserError` for one that there is not."""
    for name in names:
        if name not in SET_METRICS:
            raise unknown("set-level metric", name, list(SET_METRICS))
    return list(names)


def check_sizes(names: Sequence[str], images: int) -> None:
    """Raises `UserError` where a distance cannot be had from sets of so few pictures."""
    if "fid" in names:
        check_fid(images)
