"""Metrics whose encoder no stack carries: DINO, DreamSim, and what people were asked to like.

Each needs a package or weights of its own (`spin_bench.metrics.encoders`) and is computed only where it is asked for.
"""

from dataclasses import replace

from torch import Tensor

from spin_bench.metrics.batch import Batch, reference_object
from spin_bench.metrics.record import COSINE, Metric


def dino_i_crop(batch: Batch) -> Tensor:
    """Cosine of DINO features: the mask's box of the painted picture, and the reference's object."""
    encode = batch.encoders["dino"]
    return (encode(batch.crops) * batch.once("dino of reference object", reference_object, encode)).sum(1).cpu()


def dreamsim_crop(batch: Batch) -> Tensor:
    """DreamSim's distance of the mask's box of the painted picture and the reference's object."""
    return batch.encoders["dreamsim"](batch.crops, batch.references).cpu()


def aesthetic(batch: Batch) -> Tensor:
    return batch.encoders["aesthetic"](batch.images).cpu()


def _preferred(batch: Batch, encoder: str) -> Tensor:
    return batch.encoders[encoder](batch.images, [case.prompt for case in batch.cases]).cpu()


def image_reward(batch: Batch) -> Tensor:
    return _preferred(batch, "image_reward")


def hps(batch: Batch) -> Tensor:
    return _preferred(batch, "hps")


def pick_score(batch: Batch) -> Tensor:
    return _preferred(batch, "pick_score")


_OBJECT = Metric(
    name="dino_i_crop",
    title="DINO-I",
    higher_is_better=True,
    range=COSINE,
    encoder="dino",
    uses=("dino",),
    compares="painted crop with the reference's object",
    crop="tight box of the mask, padded to a square with mid-grey",
    resize="bicubic, antialiased, to 128 px, then to 224 px",
    mask="reference on mid-grey outside its own mask (the whole photo where it has none)",
    compute=dino_i_crop,
)
_LIKED = Metric(
    name="aesthetic",
    title="aesthetic",
    higher_is_better=True,
    range=(1, 10),
    encoder="aesthetic",
    uses=("aesthetic",),
    compares="nothing: the whole painted picture by itself",
    source="LAION aesthetic predictor v2, by pyiqa",
    compute=aesthetic,
)
_WITH_PROMPT = "whole painted picture with the prompt"

METRICS = (
    _OBJECT,
    replace(
        _OBJECT,
        name="dreamsim_crop",
        title="DreamSim",
        higher_is_better=False,
        range=(0, 1),
        encoder="dreamsim",
        uses=("dreamsim",),
        source="Fu et al. 2023, by dreamsim",
        compute=dreamsim_crop,
    ),
    _LIKED,
    replace(
        _LIKED,
        name="image_reward",
        title="ImageReward",
        range=(-5, 5),
        encoder="image_reward",
        uses=("image_reward",),
        compares=_WITH_PROMPT,
        source="Xu et al. 2023, by image-reward",
        compute=image_reward,
    ),
    replace(
        _LIKED,
        name="hps",
        title="HPS v2.1",
        range=(0, 1),
        encoder="hps",
        uses=("hps",),
        compares=_WITH_PROMPT,
        source="Wu et al. 2023, by hpsv2",
        compute=hps,
    ),
    replace(
        _LIKED,
        name="pick_score",
        title="PickScore",
        range=(-100, 100),
        encoder="pick_score",
        uses=("pick_score",),
        compares=f"{_WITH_PROMPT}, the logit scale times the cosine",
        source="Kirstain et al. 2023, by transformers",
        compute=pick_score,
    ),
)
