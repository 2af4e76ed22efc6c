"""Classifier-free guidance (Ho & Salimans 2022) over a text-conditioned noise predictor."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor


class Prediction(NamedTuple):
    """The noise that one guided pass predicts; both fields have the latents' shape."""

    noise: Tensor
    guidance: Tensor  # the part of `noise` that guidance added


NoisePredictor = Callable[[Tensor, int], Prediction]


def classifier_free(unet: Callable[..., Any], negative: Tensor, positive: Tensor, scale: float) -> NoisePredictor:
    """Guide from the `negative` to the `positive` context, (1, tokens, width) each, in one pass of twice the batch.

    `unet` is a `UNet2DConditionModel` or called like one. It runs in the contexts' precision; guidance is computed in
    the latents'.
    """

    def predict(latents: Tensor, t: int) -> Prediction:
        n = len(latents)
        context = torch.cat([negative.expand(n, -1, -1), positive.expand(n, -1, -1)])
        doubled = latents.repeat(2, 1, 1, 1).to(context.dtype)
        uncond, cond = unet(doubled, t, encoder_hidden_states=context).sample.to(latents.dtype).chunk(2)
        guidance = scale * (cond - uncond)
        return Prediction(uncond + guidance, guidance)

    return predict
