"""How much of the scene outside the mask is still there."""

from torch import Tensor

from spin_bench.metrics.batch import Batch


def lpips_bg(batch: Batch) -> Tensor:
    """Perceptual distance of painted picture and background with the masked pixels grey in both; NaN if all are."""
    keep = 1 - batch.masks
    distance = batch.stack.perceptual(batch.images * keep, batch.backgrounds * keep).cpu()
    return distance.masked_fill(keep.flatten(1).amax(1) == 0, float("nan"))
