"""How much the images of one case differ from each other."""

from itertools import combinations

from torch import Tensor

from spin_bench.metrics.batch import Batch
from spin_bench.metrics.case_features import portions
from spin_bench.metrics.metric import BOX, case_metric
from spin_bench.models.stack import Perceptual

PAIRS_TOGETHER = 64  # pairs that the network sees at once


def mean_pairwise_distance(images: Tensor, distance: Perceptual) -> float:
    """Average `distance` over all unordered pairs of `images` (k, 3, H, W) in [-1, 1]; NaN for fewer than two."""
    pairs = list(combinations(range(len(images)), 2))
    if not pairs:
        return float("nan")
    total = 0.0
    for some in portions(pairs, PAIRS_TOGETHER):
        a, b = zip(*some, strict=True)
        total += distance(images[list(a)], images[list(b)]).double().sum().item()
    return total / len(pairs)


@case_metric(
    title="diversity",
    higher_is_better=True,
    range=(0, 4),
    encoder="perceptual",
    compares="painted crops of one case with each other, mean over all pairs",
    crop=BOX,
    resize="bicubic, antialiased, to 128 px",
    aggregation="one value a case, over all its images; mean over cases",
    missing="where a case has fewer than two images",
)
def diversity_crop(batch: Batch) -> float:
    """`mean_pairwise_distance` of the mask's boxes of a case's painted pictures.

    The crop, since everything outside it is the same in all of them: on the whole frame the number would follow the
    mask's area.
    """
    if len({case.id for case in batch.cases}) != 1:
        raise ValueError("diversity is a property of one case: give it a batch of one case's pictures")
    return mean_pairwise_distance(batch.crops, batch.stack.perceptual)
