"""How much the painted object is the reference's, and what the prompt says."""

from torch import Tensor

from spin_bench.metrics.batch import Batch
from spin_bench.metrics.record import COSINE, Metric


def clip_i_crop(batch: Batch) -> Tensor:
    """Cosine of CLIP features: the mask's box of the painted picture, and the reference's object."""
    return (batch.clip_crops * batch.clip_references).sum(1)


def clip_i_photo(batch: Batch) -> Tensor:
    """As `clip_i_crop`, with the whole reference photo."""
    return (batch.clip_crops * batch.clip_photos).sum(1)


def clip_i_truth(batch: Batch) -> Tensor:
    """Cosine of CLIP features: the mask's box of the painted picture, and of the true composite."""
    return (batch.clip_crops * batch.clip_truths).sum(1)


def judge_i_crop(batch: Batch) -> Tensor:
    """As `clip_i_crop`, with ImageNet features that nobody here trained."""
    return (batch.judge_crops * batch.judge_references).sum(1)


def clip_t(batch: Batch) -> Tensor:
    """Cosine of CLIP features: the whole painted picture, and the prompt."""
    return (batch.clip_images * batch.clip_prompts).sum(1)


def clip_t_crop(batch: Batch) -> Tensor:
    """Cosine of CLIP features: the mask's box of the painted picture, and the prompt."""
    return (batch.clip_crops * batch.clip_prompts).sum(1)


def lpips_fg(batch: Batch) -> Tensor:
    """Perceptual distance of the mask's box of the painted picture and the reference's object."""
    return batch.stack.perceptual(batch.crops, batch.references)


_CROP = "tight box of the mask, padded to a square with mid-grey"
_RESIZE = "bicubic, antialiased, to 128 px, then the encoder's own"
_OBJECT = "reference's object"
_ON_GREY = "reference on mid-grey outside its own mask (the whole photo where it has none)"
_TEXT = ("clip", "tokenizer")
_IDENTITY = ("untouched", "wrong_object", "wrong_hue")

METRICS = (
    Metric(
        name="clip_i_crop",
        title="CLIP-I",
        higher_is_better=True,
        range=COSINE,
        encoder="clip",
        uses=("clip",),
        compares=f"painted crop with the {_OBJECT}",
        crop=_CROP,
        resize=_RESIZE,
        mask=_ON_GREY,
        claims=_IDENTITY,
        compute=clip_i_crop,
    ),
    Metric(
        name="clip_i_photo",
        title="CLIP-I photo",
        higher_is_better=True,
        range=COSINE,
        encoder="clip",
        uses=("clip",),
        compares="painted crop with the whole reference photo",
        crop=_CROP,
        resize=_RESIZE,
        claims=_IDENTITY,
        compute=clip_i_photo,
    ),
    Metric(
        name="clip_i_truth",
        title="CLIP-I truth",
        higher_is_better=True,
        range=COSINE,
        encoder="clip",
        uses=("clip",),
        compares="painted crop with the same crop of the true composite",
        crop=_CROP,
        resize=_RESIZE,
        missing="where the benchmark does not know the truth",
        claims=(*_IDENTITY, "copy_paste", "feathered_paste", "poisson", "colour_shift", "wrong_style", "blurred"),
        compute=clip_i_truth,
    ),
    Metric(
        name="judge_i_crop",
        title="ImageNet-I",
        higher_is_better=True,
        range=COSINE,
        encoder="judge",
        uses=("judge",),
        compares=f"painted crop with the {_OBJECT}",
        crop=_CROP,
        resize=_RESIZE,
        mask=_ON_GREY,
        claims=("untouched", "wrong_object", "blurred"),
        compute=judge_i_crop,
    ),
    Metric(
        name="lpips_fg",
        title="LPIPS-FG",
        higher_is_better=False,
        range=(0, 4),
        encoder="perceptual",
        uses=("perceptual",),
        compares=f"painted crop with the {_OBJECT}",
        crop=_CROP,
        resize=_RESIZE,
        mask=_ON_GREY,
        claims=_IDENTITY,
        compute=lpips_fg,
    ),
    Metric(
        name="clip_t",
        title="CLIP-T",
        higher_is_better=True,
        range=COSINE,
        encoder="clip",
        uses=_TEXT,
        compares="whole painted picture with the prompt",
        claims=("untouched", "wrong_object", "colour_shift", "blurred"),
        compute=clip_t,
    ),
    Metric(
        name="clip_t_crop",
        title="CLIP-T crop",
        higher_is_better=True,
        range=COSINE,
        encoder="clip",
        uses=_TEXT,
        compares="painted crop with the prompt",
        crop=_CROP,
        resize=_RESIZE,
        claims=("wrong_object", "copy_paste", "feathered_paste", "colour_shift", "blurred"),
        compute=clip_t_crop,
    ),
)
