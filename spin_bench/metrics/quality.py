"""Metrics whose encoder no stack carries: DINO, DreamSim, and what people were asked to like.

Each needs a package or weights of its own (`spin_bench.metrics.extra_encoders`) and is computed only if a run names it.
"""

from functools import partial

from torch import Tensor

from spin_bench.metrics.batch import Batch, reference_object
from spin_bench.metrics.metric import COSINE, OF_OBJECT, metric

_OF_OBJECT = {**OF_OBJECT, "resize": "bicubic, antialiased, to 128 px, then to 224 px"}
_WITH_PROMPT = "whole painted picture with the prompt"
_with_prompt = partial(metric, higher_is_better=True, compares=_WITH_PROMPT)


@metric(**_OF_OBJECT, title="DINO-I", higher_is_better=True, range=COSINE, encoder="dino")
def dino_i_crop(batch: Batch) -> Tensor:
    """Cosine of DINO features: the mask's box of the painted picture, and the reference's object."""
    encode = batch.encoders["dino"]
    return (encode(batch.crops) * batch.once("dino of reference object", reference_object, encode)).sum(1).cpu()


@metric(
    **_OF_OBJECT,
    title="DreamSim",
    higher_is_better=False,
    range=(0, 1),
    encoder="dreamsim",
    source="Fu et al. 2023, by dreamsim",
)
def dreamsim_crop(batch: Batch) -> Tensor:
    """DreamSim's distance of the mask's box of the painted picture and the reference's object."""
    return batch.encoders["dreamsim"](batch.crops, batch.references).cpu()


@metric(
    title="aesthetic",
    higher_is_better=True,
    range=(1, 10),
    encoder="aesthetic",
    compares="nothing: the whole painted picture by itself",
    source="LAION aesthetic predictor v2, by pyiqa",
)
def aesthetic(batch: Batch) -> Tensor:
    """Predicted rating of the whole painted picture, 1 to 10."""
    return batch.encoders["aesthetic"](batch.images).cpu()


def _preferred(batch: Batch, encoder: str) -> Tensor:
    return batch.encoders[encoder](batch.images, [case.prompt for case in batch.cases]).cpu()


@_with_prompt(title="ImageReward", range=(-5, 5), encoder="image_reward", source="Xu et al. 2023, by image-reward")
def image_reward(batch: Batch) -> Tensor:
    """ImageReward of the whole painted picture and the prompt."""
    return _preferred(batch, "image_reward")


@_with_prompt(title="HPS v2.1", range=(0, 1), encoder="hps", source="Wu et al. 2023, by hpsv2")
def hps(batch: Batch) -> Tensor:
    """Human preference score of the whole painted picture and the prompt."""
    return _preferred(batch, "hps")


@_with_prompt(
    title="PickScore",
    range=(-100, 100),
    encoder="pick_score",
    compares=f"{_WITH_PROMPT}, the logit scale times the cosine",
    source="Kirstain et al. 2023, by transformers",
)
def pick_score(batch: Batch) -> Tensor:
    """PickScore of the whole painted picture and the prompt."""
    return _preferred(batch, "pick_score")
