"""How much the painted object is the reference's, and what the prompt says."""

import torch
from torch import Tensor

from spin_bench.core.case import Case
from spin_bench.diffusion.latents import to_tensor
from spin_bench.metrics.batch import Batch, reference_object, reference_photo, square_crop
from spin_bench.metrics.faults import IDENTITY
from spin_bench.metrics.metric import COSINE, OF_CROP, OF_OBJECT, by_clip, by_lpips, by_words, metric


@by_clip(**OF_OBJECT, title="CLIP-I", claims=IDENTITY)
def clip_i_crop(batch: Batch) -> Tensor:
    """Cosine of CLIP features: the mask's box of the painted picture, and the reference's object."""
    return (batch.clip_crops * batch.clip_of(reference_object)).sum(1)


@by_clip(**OF_CROP, title="CLIP-I photo", compares="painted crop with the whole reference photo", claims=IDENTITY)
def clip_i_photo(batch: Batch) -> Tensor:
    """As `clip_i_crop`, with the whole reference photo."""
    return (batch.clip_crops * batch.clip_of(reference_photo)).sum(1)


def true_crop(case: Case) -> Tensor:
    """Cut the mask's box out of the true composite: (1, 3, CROP_SIDE, CROP_SIDE); NaN if the benchmark has none."""
    unknown = torch.full((1, 3, *case.mask.size[::-1]), torch.nan)
    return square_crop(unknown if case.truth is None else to_tensor(case.truth), case.box)


@by_clip(
    **OF_CROP,
    title="CLIP-I truth",
    compares="painted crop with the same crop of the true composite",
    missing="where the benchmark does not know the truth",
    claims=(*IDENTITY, "copy_paste", "feathered_paste", "poisson", "colour_shift", "wrong_style", "blurred"),
)
def clip_i_truth(batch: Batch) -> Tensor:
    """As `clip_i_crop`, with the mask's box of the true composite."""
    return (batch.clip_crops * batch.clip_of(true_crop)).sum(1)


@metric(
    **OF_OBJECT,
    title="ImageNet-I",
    higher_is_better=True,
    range=COSINE,
    encoder="judge",
    claims=("untouched", "wrong_object", "blurred"),
)
def judge_i_crop(batch: Batch) -> Tensor:
    """As `clip_i_crop`, with ImageNet features that nobody here trained."""
    judge = batch.stack.judge
    return (judge(batch.crops) * batch.once("judge of reference object", reference_object, judge)).sum(1)


@by_words(
    title="CLIP-T",
    compares="whole painted picture with the prompt",
    claims=("untouched", "wrong_object", "colour_shift", "blurred"),
)
def clip_t(batch: Batch) -> Tensor:
    """Cosine of CLIP features: the whole painted picture, and the prompt."""
    return (batch.clip_images * batch.clip_prompts).sum(1)


@by_words(
    **OF_CROP,
    title="CLIP-T crop",
    compares="painted crop with the prompt",
    claims=("wrong_object", "copy_paste", "feathered_paste", "colour_shift", "blurred"),
)
def clip_t_crop(batch: Batch) -> Tensor:
    """Cosine of CLIP features: the mask's box of the painted picture, and the prompt."""
    return (batch.clip_crops * batch.clip_prompts).sum(1)


@by_lpips(**OF_OBJECT, title="LPIPS-FG", claims=IDENTITY)
def lpips_fg(batch: Batch) -> Tensor:
    """Perceptual distance of the mask's box of the painted picture and the reference's object."""
    return batch.stack.perceptual(batch.crops, batch.references)
