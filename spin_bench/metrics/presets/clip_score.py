"""CLIPScore as torchmetrics reports it, which three of the protocols call."""

from functools import partial

from torch import Tensor

from spin_bench.metrics.batch import Batch
from spin_bench.metrics.metric import by_words

by_clip_score = partial(by_words, range=(0.0, 100.0), digits=2)


def clip_score(batch: Batch, features: Tensor) -> Tensor:
    """Return 100 max(0, cosine), (n,), of CLIP's `features` (n, width) and the prompts of the batch's n pictures."""
    return 100 * (features * batch.clip_prompts).sum(1).clamp(min=0)
