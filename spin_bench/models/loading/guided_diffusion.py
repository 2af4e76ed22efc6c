"""OpenAI's guided-diffusion UNet (Dhariwal & Nichol 2021) as a `UNet2DModel`: the same function under other names.

Three things are not a matter of names. The residual blocks' scale and shift, and their own down- and upsampling, are
options of `UNet2DModel`; the middle attention keeps its norm only when told its groups. And the published models hold
queries, keys and values head by head, (heads, 3, width), where diffusers holds three matrices: `_split` takes them
apart. Equality of the outputs is tested against an independent implementation of the published network.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from diffusers import DDPMScheduler, UNet2DModel
from torch import Tensor


@dataclass(frozen=True)
class GuidedDiffusion:
    """A model's shape; the defaults are 256x256_diffusion_uncond.pt's."""

    side: int = 256  # px
    channels: tuple[int, ...] = (256, 256, 512, 512, 1024, 1024)  # by level
    attention: tuple[bool, ...] = (False, False, False, True, True, True)  # at 32, 16 and 8 px
    layers: int = 2  # residual blocks a level
    head: int = 64  # channels of an attention head
    groups: int = 32  # of every norm


def build_unet(shape: GuidedDiffusion) -> UNet2DModel:
    """Six output channels: the noise, and where its variance lies between the two fixed ones."""
    down = tuple("AttnDownBlock2D" if attention else "ResnetDownsampleBlock2D" for attention in shape.attention)
    up = tuple("AttnUpBlock2D" if attention else "ResnetUpsampleBlock2D" for attention in reversed(shape.attention))
    return UNet2DModel(
        sample_size=shape.side,
        in_channels=3,
        out_channels=6,
        block_out_channels=shape.channels,
        layers_per_block=shape.layers,
        down_block_types=down,
        up_block_types=up,
        downsample_type="resnet",
        upsample_type="resnet",
        resnet_time_scale_shift="scale_shift",
        attention_head_dim=shape.head,
        norm_num_groups=shape.groups,
        attn_norm_num_groups=shape.groups,
    )


def build_scheduler() -> DDPMScheduler:
    """A thousand linear steps, the variance learned; spaced as guided-diffusion respaces them."""
    return DDPMScheduler(
        beta_start=1e-4,
        beta_end=0.02,
        beta_schedule="linear",
        variance_type="learned_range",
        clip_sample=False,
        timestep_spacing="linspace",
    )


def modules(shape: GuidedDiffusion) -> Iterator[tuple[str, str, str]]:
    """(kind, published name, diffusers' name) of every module that holds weights; kinds: plain, resnet, attention."""
    yield from (
        ("plain", "time_embed.0", "time_embedding.linear_1"),
        ("plain", "time_embed.2", "time_embedding.linear_2"),
    )
    yield "plain", "input_blocks.0.0", "conv_in"
    levels, place = len(shape.channels), 1
    for level, attention in enumerate(shape.attention):
        for layer in range(shape.layers):
            yield "resnet", f"input_blocks.{place}.0", f"down_blocks.{level}.resnets.{layer}"
            if attention:
                yield "attention", f"input_blocks.{place}.1", f"down_blocks.{level}.attentions.{layer}"
            place += 1
        if level < levels - 1:
            yield "resnet", f"input_blocks.{place}.0", f"down_blocks.{level}.downsamplers.0"
            place += 1
    yield "resnet", "middle_block.0", "mid_block.resnets.0"
    yield "attention", "middle_block.1", "mid_block.attentions.0"
    yield "resnet", "middle_block.2", "mid_block.resnets.1"
    place = 0
    for level, attention in enumerate(reversed(shape.attention)):
        for layer in range(shape.layers + 1):
            yield "resnet", f"output_blocks.{place}.0", f"up_blocks.{level}.resnets.{layer}"
            if attention:
                yield "attention", f"output_blocks.{place}.1", f"up_blocks.{level}.attentions.{layer}"
            if layer == shape.layers and level < levels - 1:
                yield "resnet", f"output_blocks.{place}.{1 + attention}", f"up_blocks.{level}.upsamplers.0"
            place += 1
    yield "plain", "out.0", "conv_norm_out"
    yield "plain", "out.2", "conv_out"


_PLAIN = {"": ""}
_RESNET = {
    ".in_layers.0": ".norm1",
    ".in_layers.2": ".conv1",
    ".emb_layers.1": ".time_emb_proj",
    ".out_layers.0": ".norm2",
    ".out_layers.3": ".conv2",
    ".skip_connection": ".conv_shortcut",  # where the channels change
}
_ATTENTION = {".norm": ".group_norm", ".proj_out": ".to_out.0"}
_NAMES = {"plain": _PLAIN, "resnet": _RESNET, "attention": _ATTENTION}


def converted(published: Mapping[str, Tensor], shape: GuidedDiffusion) -> dict[str, Tensor]:
    """The published state under diffusers' names; what is missing, or has no place, is left for the reader to see."""
    state: dict[str, Tensor] = {}
    for kind, old, new in modules(shape):
        for part in ("weight", "bias"):
            for old_part, new_part in _NAMES[kind].items():
                if (tensor := published.get(f"{old}{old_part}.{part}")) is not None:
                    # attention is one-wide convolutions there, matrices here
                    state[f"{new}{new_part}.{part}"] = tensor.flatten(1) if tensor.ndim == 3 else tensor
            if kind == "attention" and (joined := published.get(f"{old}.qkv.{part}")) is not None:
                matrices = _split(joined, shape.head)
                state |= {f"{new}.to_{x}.{part}": matrix for x, matrix in zip("qkv", matrices, strict=True)}
    return state


def _split(joined: Tensor, head: int) -> tuple[Tensor, ...]:
    """Rows (heads * 3 * head, ...) of a one-wide convolution, or of its bias, to queries, keys and values."""
    rows = joined.squeeze(-1) if joined.ndim == 3 else joined
    return tuple(part.flatten(0, 1).contiguous() for part in rows.unflatten(0, (-1, 3, head)).unbind(1))
