"""The parts of a Stable Diffusion stack from either source: published files, or random weights in the true layout."""

import gzip
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, DDPMScheduler, UNet2DConditionModel, UNet2DModel
from transformers import CLIPTextModel, CLIPTokenizer

from spin_bench.core.errors import UserError, unknown
from spin_bench.models.config import StackConfig
from spin_bench.models.hub.client import HubFile, located
from spin_bench.models.hub.files import pixel_folder, stack_files
from spin_bench.models.loading import guided_diffusion
from spin_bench.models.loading.encoders import encoder_loaders
from spin_bench.models.loading.layouts import LAYOUTS, VOCABULARY, WINDOW, bare, build_scheduler, build_vae
from spin_bench.models.loading.powerpaint_checkpoint import load_powerpaint
from spin_bench.models.loading.random_weights import filled
from spin_bench.models.published_encoders import published, randomly
from spin_bench.models.stack import Loaders, PixelDiffusion, PowerPaint
from spin_bench.models.task_tokens import task_tokenizer, with_room_for_tasks


def published_loaders(config: StackConfig, device: torch.device, dtype: torch.dtype) -> Loaders:
    """From the hub's cache, or a local folder in diffusers' layout; what is missing is fetched first.

    Whatever cannot be read is a `UserError`; nothing but the files of `stack_files` is ever read.
    """
    files = stack_files(config)

    def part(kind: Any, name: str, folder: str, **options: Any) -> Any:
        if config.root and name != "inpaint_unet":
            return _from_folder(kind, config.root, folder, **options)
        return _from_hub(kind, [file for file in files if file.part == name], folder, **options)

    weights: dict[str, Any] = {"use_safetensors": True, "torch_dtype": dtype}

    def network(kind: Any, name: str, variant: str) -> Any:
        folder = "unet" if name == "inpaint_unet" else name
        return part(kind, name, folder, variant=variant or None, **weights)

    def scheduler() -> DDIMScheduler:
        shipped = part(DDIMScheduler, "scheduler", "scheduler")
        if shipped.config.prediction_type != "epsilon":
            kind = shipped.config.prediction_type
            raise UserError(f"stack {config.name!r}: its model predicts {kind}, every method here expects epsilon")
        return DDIMScheduler.from_config(shipped.config, clip_sample=False, set_alpha_to_one=False)

    text_encoder = partial(network, CLIPTextModel, "text_encoder", config.variant)
    tokenizer = partial(part, CLIPTokenizer, "tokenizer", "tokenizer")
    inpaint_unet = partial(network, UNet2DConditionModel, "inpaint_unet", config.inpaint_variant)

    def powerpaint() -> PowerPaint:
        unet_file, text_file = (located(file) for file in files if file.part == "powerpaint")
        base = {"unet": inpaint_unet(), "text_encoder": text_encoder(), "tokenizer": tokenizer()}
        return load_powerpaint(unet_file, text_file, **base)

    def pixel() -> PixelDiffusion:
        folder = str(pixel_folder(config))
        unet = _from_folder(UNet2DModel, folder, "unet", **weights)
        return PixelDiffusion(unet, _from_folder(DDPMScheduler, folder, "scheduler"))

    return Loaders(
        vae=partial(network, AutoencoderKL, "vae", config.variant),
        unet=partial(network, UNet2DConditionModel, "unet", config.variant),
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        scheduler=scheduler,
        inpaint_unet=inpaint_unet if config.inpaint else None,
        powerpaint=powerpaint if config.powerpaint else None,
        pixel=pixel if pixel_folder(config) else None,
        **encoder_loaders(config, published, device),
    )


def random_loaders(config: StackConfig, device: torch.device, dtype: torch.dtype) -> Loaders:
    """The true layout of `config.layout` and the true tokenizer; reads no file. Every part is there."""
    if config.layout not in LAYOUTS:
        raise unknown("stack.layout", config.layout, list(LAYOUTS))
    layout = LAYOUTS[config.layout]

    def drawn(build: Callable[[], Any]) -> Any:
        with bare():
            network = build()
        return filled(network, dtype=dtype)

    def powerpaint() -> PowerPaint:
        tokenizer = task_tokenizer(clip_tokenizer(layout.pad_token))
        text_encoder = with_room_for_tasks(drawn(layout.text_encoder), tokenizer)
        return PowerPaint(drawn(partial(layout.unet, 9)), text_encoder, tokenizer)

    def pixel() -> PixelDiffusion:
        unet = drawn(partial(guided_diffusion.build_unet, guided_diffusion.GuidedDiffusion()))
        return PixelDiffusion(unet, guided_diffusion.build_scheduler())

    return Loaders(
        vae=partial(drawn, build_vae),
        unet=partial(drawn, partial(layout.unet, 4)),
        text_encoder=partial(drawn, layout.text_encoder),
        tokenizer=partial(clip_tokenizer, layout.pad_token),
        scheduler=build_scheduler,
        inpaint_unet=partial(drawn, partial(layout.unet, 9)),
        powerpaint=powerpaint,
        pixel=pixel,
        **encoder_loaders(config, randomly, device),
    )


def clip_tokenizer(pad_token: str) -> CLIPTokenizer:
    """CLIP's published vocabulary, which open_clip's wheel carries: bytes, bytes that end a word, then the merges."""
    from open_clip.tokenizer import default_bpe
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    with gzip.open(default_bpe(), "rt", encoding="utf-8") as file:
        lines = file.read().split("\n")[1 : VOCABULARY - 2 * 256 - 2 + 1]
    merges = [tuple(line.split()) for line in lines]
    letters = list(bytes_to_unicode().values())
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(merge) for merge in merges)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=WINDOW, pad_token=pad_token)


def _from_folder(kind: Any, root: str, folder: str, **options: Any) -> Any:
    try:
        return kind.from_pretrained(root, subfolder=folder, **options)
    except (OSError, ValueError, RuntimeError) as error:
        raise _unfit(f"{root}/{folder}", error) from error


def _from_hub(kind: Any, files: list[HubFile], folder: str, **options: Any) -> Any:
    snapshot = {str(Path(located(file)).parents[file.name.count("/")]) for file in files}.pop()
    return _from_folder(kind, snapshot, folder, **options)


def _unfit(where: str, error: Exception) -> UserError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return UserError(f"{where}: cannot be loaded ({lines[0] if lines else type(error).__name__})")
