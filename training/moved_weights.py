"""Carry what one model learned over to its descendant: its weights move as the ancestor's did.

Task arithmetic (Ilharco et al. 2023): the shipped inpainting UNet descends from the shipped text-to-image UNet, which
was trained further in another world, so the difference is a start that neither paints nor inpaints from nothing.
"""

from copy import deepcopy

import torch
from diffusers import UNet2DConditionModel


@torch.no_grad()
def moved(
    descendant: UNet2DConditionModel, before: UNet2DConditionModel, after: UNet2DConditionModel
) -> UNet2DConditionModel:
    """A copy of `descendant` moved by `after` less `before`; channels that only it reads stay as they are."""
    out, old, new = deepcopy(descendant), before.state_dict(), after.state_dict()
    for name, weight in out.state_dict().items():
        change = new[name] - old[name]
        if weight.shape == change.shape:
            weight += change
        else:  # conv_in: further input channels follow the latents'
            weight[:, : change.shape[1]] += change
    return out
