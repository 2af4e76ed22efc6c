"""CLIPScore as torchmetrics reports it, which three of the protocols call."""

from torch import Tensor

from spin_bench.metrics.batch import Batch


def clip_score(batch: Batch, images: Tensor) -> Tensor:
    """100 max(0, cosine) of `images` (n, 3, H, W) in [-1, 1], one a picture of the batch, and the prompts; (n,)."""
    features = batch.stack.clip.encode_image(images)
    return 100 * (features * batch.clip_prompts).sum(1).clamp(min=0)
