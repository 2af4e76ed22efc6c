"""Features of the predicted clean latents whose statistics style guidance compares; all differentiable."""

from collections.abc import Callable

from torch import Tensor

from spin_bench.core.errors import UserError
from spin_bench.models.stack import Stack

DECODER_BLOCKS = 2  # of the VAE's up blocks, from the latents on


def _latents(x0: Tensor, stack: Stack) -> list[Tensor]:
    return [x0]


def _decoder(x0: Tensor, stack: Stack) -> list[Tensor]:
    """The VAE decoder's middle and first up blocks, each divided by the root of its number of channels."""
    vae = stack.vae
    features = (x0 / vae.config.scaling_factor).to(vae.dtype)
    if vae.post_quant_conv is not None:
        features = vae.post_quant_conv(features)
    features = vae.decoder.mid_block(vae.decoder.conv_in(features))
    layers = [features]
    for block in vae.decoder.up_blocks[:DECODER_BLOCKS]:
        features = block(features)
        layers.append(features)
    return [layer / layer.shape[1] ** 0.5 for layer in layers]


def _clip(x0: Tensor, stack: Stack) -> list[Tensor]:
    """CLIP's patches of the decoded prediction, at a quarter of CLIP's depth (FreeDoM's choice)."""
    if not hasattr(stack.clip, "encode_patches"):
        raise UserError(f"style_features=clip: {stack.clip.name} shows no patches: set latents or decoder")
    latents = (x0 / stack.vae.config.scaling_factor).to(stack.vae.dtype)
    return [stack.clip.encode_patches(stack.vae.decode(latents).sample)]


# ((N, C, h, w) scaled clean latents, stack) to layers (N, C', h', w')
FEATURES: dict[str, Callable[[Tensor, Stack], list[Tensor]]] = {
    "latents": _latents,
    "decoder": _decoder,
    "clip": _clip,
}
