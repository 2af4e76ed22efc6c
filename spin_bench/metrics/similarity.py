"""How much the painted object is the reference's."""

from torch import Tensor

from spin_bench.metrics.batch import Batch


def clip_i_crop(batch: Batch) -> Tensor:
    """Cosine of CLIP features: the mask's box of the painted picture, and the reference's object."""
    return (batch.clip_crops * batch.clip_references).sum(1)


def clip_i_truth(batch: Batch) -> Tensor:
    """Cosine of CLIP features: the mask's box of the painted picture, and of the true composite."""
    return (batch.clip_crops * batch.clip_truths).sum(1)


def judge_i_crop(batch: Batch) -> Tensor:
    """As `clip_i_crop`, with ImageNet features that nobody here trained."""
    return (batch.judge_crops * batch.judge_references).sum(1)


def clip_t(batch: Batch) -> Tensor:
    """Cosine of CLIP features: the whole painted picture, and the prompt."""
    return (batch.clip_images * batch.clip_prompts).sum(1)
