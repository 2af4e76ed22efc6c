"""CLIPScore as torchmetrics reports it, which three of the protocols call."""

from torch import Tensor

from spin_bench.metrics.batch import Batch


def clip_score(batch: Batch, features: Tensor) -> Tensor:
    """100 max(0, cosine) of CLIP's `features` (n, width), one row a picture of the batch, and the prompts; (n,)."""
    return 100 * (features * batch.clip_prompts).sum(1).clamp(min=0)
