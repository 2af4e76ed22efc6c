"""The embedded inpainting model: nine input channels, fine-tuned from the text-to-image UNet."""

import torch
from diffusers import UNet2DConditionModel


@torch.no_grad()
def widened(unet: UNet2DConditionModel, in_channels: int = 9) -> UNet2DConditionModel:
    """A copy of `unet` that reads further input channels, with weight 0 at first, as SD's inpainting model began."""
    wide = UNet2DConditionModel.from_config({**unet.config, "in_channels": in_channels})
    state = unet.state_dict()
    narrow = state["conv_in.weight"]
    state["conv_in.weight"] = torch.zeros(len(narrow), in_channels, *narrow.shape[2:])
    state["conv_in.weight"][:, : narrow.shape[1]] = narrow
    wide.load_state_dict(state)
    return wide
