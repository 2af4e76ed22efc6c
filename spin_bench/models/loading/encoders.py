"""The encoders of a Stable Diffusion stack, which judge and guide: CLIP, LPIPS, a network that nobody here trained."""

from functools import partial
from typing import Any

import torch

from spin_bench.core.errors import UserError
from spin_bench.models.config import StackConfig
from spin_bench.models.perceptual import ImageNetJudge
from spin_bench.models.published_encoders import DinoJudge, Fill, Lpips, open_clip_encoder
from spin_bench.models.stack import ClipModel, Features, Perceptual


def encoder_loaders(config: StackConfig, fill: Fill, device: torch.device) -> dict[str, Any]:
    """How each encoder is made, by its part of the stack; `fill` gives the networks their weights."""
    return {
        "clip": partial(_clip, config, fill, device),
        "guide": partial(open_clip_encoder, config.guide, "guide", fill, device) if config.guide else None,
        "perceptual": partial(_perceptual, config, fill, device),
        "judge": partial(_judge, config, fill, device),
    }


def _clip(config: StackConfig, fill: Fill, device: torch.device) -> ClipModel:
    if not config.clip:
        raise UserError("stack.clip is empty, and a method or a metric needs it: set stack.clip, or leave that out")
    return open_clip_encoder(config.clip, "clip", fill, device)


def _perceptual(config: StackConfig, fill: Fill, device: torch.device) -> Perceptual:
    if not config.lpips_net:
        raise UserError("stack.lpips_net is empty, and a method or a metric needs it: set it, or leave that out")
    return Lpips(config.lpips_net, fill, device)


def _judge(config: StackConfig, fill: Fill, device: torch.device) -> Features:
    if config.judge == "dino":
        return DinoJudge(fill, device)
    return ImageNetJudge(device)
