"""How well the painted object belongs to its scene."""

from torch import Tensor

from spin_bench.metrics.batch import Batch


def coherence_context(batch: Batch) -> Tensor:
    """Cosine of CLIP features: the mask's enlarged box in the painted picture and in the untouched background.

    An object that belongs changes what the scene shows, not what the scene is; a foreign patch changes both.
    """
    painted, untouched = batch.clip_contexts
    return (painted * untouched).sum(1)
