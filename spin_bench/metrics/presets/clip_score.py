"""CLIPScore as torchmetrics reports it, which three of the protocols call."""

from torch import Tensor

from spin_bench.metrics.batch import Batch


def clip_score(batch: Batch, features: Tensor) -> Tensor:
    """Return 100 max(0, cosine), (n,), of CLIP's `features` (n, width) and the prompts of the batch's n pictures."""
    return 100 * (features * batch.clip_prompts).sum(1).clamp(min=0)
