"""The metrics by name."""

from spin_bench.metrics.coherence import coherence_context
from spin_bench.metrics.preservation import lpips_bg
from spin_bench.metrics.record import Metric
from spin_bench.metrics.similarity import clip_i_crop, clip_i_truth, clip_t, judge_i_crop
from spin_bench.stack import Stack

_CROP = "tight box of the mask, padded to a square with mid-grey, bicubic antialiased resize, RGB"
_REFERENCE = "reference's object on mid-grey, cut to its mask (whole photo without one), same resize"


def _clip(stack: Stack) -> str:
    return stack.clip.name


def _judge(stack: Stack) -> str:
    return stack.judge.name


def _perceptual(stack: Stack) -> str:
    return stack.perceptual.name


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            name="clip_i_crop",
            title="CLIP-I",
            version="1",
            higher_is_better=True,
            range=(-1, 1),
            unit="",
            digits=3,
            encoder_of=_clip,
            uses=("clip", "tokenizer"),
            protocol=f"{_CROP}; against the {_REFERENCE}",
            compute=clip_i_crop,
        ),
        Metric(
            name="clip_i_truth",
            title="CLIP-I truth",
            version="1",
            higher_is_better=True,
            range=(-1, 1),
            unit="",
            digits=3,
            encoder_of=_clip,
            uses=("clip", "tokenizer"),
            protocol=f"{_CROP}; against the same crop of the true composite",
            compute=clip_i_truth,
        ),
        Metric(
            name="judge_i_crop",
            title="ImageNet-I",
            version="1",
            higher_is_better=True,
            range=(-1, 1),
            unit="",
            digits=3,
            encoder_of=_judge,
            uses=("judge",),
            protocol=f"{_CROP}; against the {_REFERENCE}",
            compute=judge_i_crop,
        ),
        Metric(
            name="clip_t",
            title="CLIP-T",
            version="1",
            higher_is_better=True,
            range=(-1, 1),
            unit="",
            digits=3,
            encoder_of=_clip,
            uses=("clip", "tokenizer"),
            protocol="whole picture against the prompt",
            compute=clip_t,
        ),
        Metric(
            name="coherence_context",
            title="coherence",
            version="1",
            higher_is_better=True,
            range=(-1, 1),
            unit="",
            digits=3,
            encoder_of=_clip,
            uses=("clip", "tokenizer"),
            protocol="box of the mask enlarged 1.5 times, padded to a square; against the same crop of the background",
            compute=coherence_context,
        ),
        Metric(
            name="lpips_bg",
            title="LPIPS-BG",
            version="1",
            higher_is_better=False,
            range=(0, 4),
            unit="",
            digits=3,
            encoder_of=_perceptual,
            uses=("perceptual",),
            protocol="masked pixels set to mid-grey in both pictures, whole frame, no resize",
            compute=lpips_bg,
        ),
    )
}
