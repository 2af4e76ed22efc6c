"""The latent UNets of a stack, by what they read at every step."""

from collections.abc import Callable

from diffusers import UNet2DConditionModel

from spin_bench.core.errors import UserError
from spin_bench.models.stack import Stack

UNETS: dict[str, Callable[[Stack], UNet2DConditionModel]] = {
    "text_to_image": lambda stack: stack.unet,
    "inpaint": lambda stack: stack.inpaint_unet,
}

# (number of latent channels) to a UNet's number of input channels
CHANNELS: dict[str, Callable[[int], int]] = {
    "text_to_image": lambda latents: latents,
    "inpaint": lambda latents: 2 * latents + 1,  # latents, mask, latents of the masked picture
}


def expect_channels(unet: UNet2DConditionModel, kind: str, stack: Stack, *, method: str, mend: str) -> None:
    """Raise `UserError` unless `unet` has the input channels of a `kind` of UNETS for the stack's latents."""
    channels = CHANNELS[kind](stack.latent_channels)
    if unet.config.in_channels != channels:
        raise UserError(f"{method}: its UNet reads {unet.config.in_channels} input channels, not {channels}: {mend}")
