"""The distances of whole sets by name: which features, which formula. Names alone load no library."""

from collections.abc import Sequence
from dataclasses import dataclass

from spin_bench.core.errors import UserError, check_known

FID_IMAGES = 2048  # the width of Inception's features: with fewer pictures their covariance is singular


@dataclass(frozen=True)
class SetMetric:
    """A distance of two sets of pictures; a smaller one is better."""

    title: str
    encoder: str  # the part of the stack, or the extra encoder, whose features are compared
    formula: str  # a function of `spin_bench.metrics.set_level`
    digits: int
    subsets: bool = True  # mean over random subsets; False: the whole sets at once


SET_METRICS: dict[str, SetMetric] = {
    "kid": SetMetric("KID", "judge", "kid_of_unit", 3),
    "clip_mmd": SetMetric("CLIP-MMD", "clip", "clip_mmd", 3),
    "fid": SetMetric("FID", "inception", "frechet", 2, subsets=False),
}


def known_distances(names: Sequence[str]) -> list[str]:
    """Return `names`; an unknown one is a `UserError`."""
    check_known("set-level metric", names, SET_METRICS)
    return list(names)


def check_sizes(names: Sequence[str], images: int) -> None:
    """Raise `UserError` if a set is too small for FID, whose estimate would then be mostly bias."""
    if "fid" in names and images < FID_IMAGES:
        raise UserError(f"FID needs at least {FID_IMAGES:,} images a set, here are {images:,}: use kid or clip_mmd")
