"""Does a weights file fit the code? Names and shapes from the safetensors header, compared without loading anything."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors import SafetensorError, safe_open
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel

from spin_bench.models.loading.layouts import bare
from spin_bench.models.task_tokens import TASKS, VECTORS

Shapes = dict[str, tuple[int, ...]]

# Names that older releases of diffusers gave the projections of the VAE's attention.
_OLD_ATTENTION = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}


def header(path: Path) -> Shapes:
    """Name to shape of every tensor; `ValueError` where the file is not whole."""
    try:
        with safe_open(path, framework="pt") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"not a whole safetensors file ({error})") from error


def shapes_of(network: nn.Module) -> Shapes:
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def plainly_named(shapes: Shapes) -> Shapes:
    """`shapes` as today's releases name the same weights."""
    renamed: Shapes = {}
    for name, shape in shapes.items():
        name = name.removeprefix("text_model.")
        if name == "embeddings.position_ids":
            continue  # a buffer that older releases saved
        for old, new in _OLD_ATTENTION.items():
            name = name.replace(old, new) if "attentions" in name else name
        # the projections were one-wide convolutions for a while
        flat = shape[:2] if "attentions" in name and ".to_" in name and shape[2:] == (1, 1) else shape
        renamed[name] = flat
    return renamed


def misfit(shapes: Shapes, expected: Shapes) -> str:
    """The first difference in words, "" where there is none."""
    for name, shape in expected.items():
        if name not in shapes:
            return f"lacks {name}"
        if shapes[name] != shape:
            return f"{name} is {shapes[name]}, not {shape}"
    more = sorted(set(shapes) - set(expected))
    return f"has {len(more)} tensors too many, such as {more[0]}" if more else ""


def _unet(config: dict[str, Any]) -> nn.Module:
    return UNet2DConditionModel.from_config(config)


def _vae(config: dict[str, Any]) -> nn.Module:
    return AutoencoderKL.from_config(config)


def _text_encoder(config: dict[str, Any]) -> nn.Module:
    return CLIPTextModel(CLIPTextConfig(**config))


BUILDERS: dict[str, Callable[[dict[str, Any]], nn.Module]] = {
    "unet": _unet,
    "inpaint_unet": _unet,
    "vae": _vae,
    "text_encoder": _text_encoder,
}


def built(part: str, config: Path) -> Any:
    """The network that a config.json describes, without memory for its weights."""
    with bare():
        return BUILDERS[part](json.loads(config.read_text()))


def powerpaint_misfit(shapes: Shapes, unet: Shapes, text_encoder: Shapes) -> str:
    """Of PowerPaint's two files, whose text encoder holds its tasks' vectors beside the words."""
    if any(name.startswith("conv_in") for name in shapes):
        return misfit(shapes, unet)
    plain = plainly_named(shapes)
    table = "embeddings.token_embedding"
    words = plain.pop(f"{table}.wrapped.weight", None)
    width = text_encoder[f"{table}.weight"][1]
    for task in TASKS:
        if plain.pop(f"{table}.trainable_embeddings.{task}", None) != (VECTORS, width):
            return f"lacks {VECTORS} vectors of {width} for {task}: not the v1 checkpoint"
    return misfit({**plain, f"{table}.weight": words or ()}, text_encoder)
