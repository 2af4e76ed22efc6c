"""How much the painted object is the reference's, and what the prompt says."""

from torch import Tensor

from spin_bench.metrics.batch import Batch
from spin_bench.metrics.faults import IDENTITY
from spin_bench.metrics.metric import BOX, COSINE, CROPPED, ON_GREY, by_clip, by_lpips, by_words, metric

_OBJECT = "painted crop with the reference's object"


@by_clip(
    title="CLIP-I",
    compares=_OBJECT,
    crop=BOX,
    resize=CROPPED,
    mask=ON_GREY,
    claims=IDENTITY,
)
def clip_i_crop(batch: Batch) -> Tensor:
    """Cosine of CLIP features: the mask's box of the painted picture, and the reference's object."""
    return (batch.clip_crops * batch.clip_references).sum(1)


@by_clip(
    title="CLIP-I photo",
    compares="painted crop with the whole reference photo",
    crop=BOX,
    resize=CROPPED,
    claims=IDENTITY,
)
def clip_i_photo(batch: Batch) -> Tensor:
    """As `clip_i_crop`, with the whole reference photo."""
    return (batch.clip_crops * batch.clip_photos).sum(1)


@by_clip(
    title="CLIP-I truth",
    compares="painted crop with the same crop of the true composite",
    crop=BOX,
    resize=CROPPED,
    missing="where the benchmark does not know the truth",
    claims=(*IDENTITY, "copy_paste", "feathered_paste", "poisson", "colour_shift", "wrong_style", "blurred"),
)
def clip_i_truth(batch: Batch) -> Tensor:
    """Cosine of CLIP features: the mask's box of the painted picture, and of the true composite."""
    return (batch.clip_crops * batch.clip_truths).sum(1)


@metric(
    title="ImageNet-I",
    higher_is_better=True,
    range=COSINE,
    encoder="judge",
    uses=("judge",),
    compares=_OBJECT,
    crop=BOX,
    resize=CROPPED,
    mask=ON_GREY,
    claims=("untouched", "wrong_object", "blurred"),
)
def judge_i_crop(batch: Batch) -> Tensor:
    """As `clip_i_crop`, with ImageNet features that nobody here trained."""
    return (batch.judge_crops * batch.judge_references).sum(1)


@by_words(
    title="CLIP-T",
    compares="whole painted picture with the prompt",
    claims=("untouched", "wrong_object", "colour_shift", "blurred"),
)
def clip_t(batch: Batch) -> Tensor:
    """Cosine of CLIP features: the whole painted picture, and the prompt."""
    return (batch.clip_images * batch.clip_prompts).sum(1)


@by_words(
    title="CLIP-T crop",
    compares="painted crop with the prompt",
    crop=BOX,
    resize=CROPPED,
    claims=("wrong_object", "copy_paste", "feathered_paste", "colour_shift", "blurred"),
)
def clip_t_crop(batch: Batch) -> Tensor:
    """Cosine of CLIP features: the mask's box of the painted picture, and the prompt."""
    return (batch.clip_crops * batch.clip_prompts).sum(1)


@by_lpips(
    title="LPIPS-FG",
    compares=_OBJECT,
    crop=BOX,
    resize=CROPPED,
    mask=ON_GREY,
    claims=IDENTITY,
)
def lpips_fg(batch: Batch) -> Tensor:
    """Perceptual distance of the mask's box of the painted picture and the reference's object."""
    return batch.stack.perceptual(batch.crops, batch.references)
