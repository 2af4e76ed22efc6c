"""From trained modules to the shipped zoo: fp16 safetensors, one folder a model, hashes in one manifest."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel, UNet2DModel
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import CLIPTextModel, CLIPTokenizer

from spin_bench.mini.clip_net import model_config
from spin_bench.mini.weights import ZOO
from training.train_pixel import build_pixel_scheduler
from training.train_unet import build_scheduler

PRETRAINED: dict[str, Any] = {
    "vae": AutoencoderKL,
    "unet": UNet2DConditionModel,
    "text_encoder": CLIPTextModel,
    "inpaint_unet": UNet2DConditionModel,
    "powerpaint/unet": UNet2DConditionModel,
    "powerpaint/text_encoder": CLIPTextModel,
    "pixel/unet": UNet2DModel,
}
PLAIN = ("clip", "saliency")  # torch modules without a configuration of their own

MODEL_INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "vae": ["diffusers", "AutoencoderKL"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "scheduler": ["diffusers", "DDIMScheduler"],
    "safety_checker": [None, None],
    "feature_extractor": [None, None],
    "requires_safety_checker": False,
}


def save_module(module: nn.Module, folder: Path, *, half: bool = False) -> None:
    """Weights of a plain module as `model.safetensors`."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}
    if half:
        state = {n: t.to(torch.float16) if t.is_floating_point() else t for n, t in state.items()}
    save_file(state, folder / "model.safetensors")


def _halve(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    state = load_file(source / "model.safetensors")
    save_file(
        {n: t.to(torch.float16) if t.is_floating_point() else t for n, t in state.items()},
        target / "model.safetensors",
    )


def _compute_in_float32(config: Path) -> None:
    """transformers would compute in the precision of the file; diffusers' pipelines expect all parts in one."""
    config.write_text(json.dumps(json.loads(config.read_text()) | {"dtype": "float32"}, indent=2) + "\n")


def export_zoo(models: Path, tokenizer: CLIPTokenizer, zoo: Path = ZOO) -> None:
    """Write the models trained under `models` into `zoo`, which keeps its own of those that were not.

    `StableDiffusionPipeline.from_pretrained(zoo)` reads the layout.
    """
    for name, kind in PRETRAINED.items():
        if (models / name).exists():
            shutil.rmtree(zoo / name, ignore_errors=True)
            kind.from_pretrained(models / name).half().save_pretrained(zoo / name)
    for config in zoo.glob("**/text_encoder/config.json"):
        _compute_in_float32(config)
    for name in PLAIN:
        if (models / name).exists():
            _halve(models / name, zoo / name)
    tokenizer.save_pretrained(zoo / "tokenizer")
    build_scheduler().save_pretrained(zoo / "scheduler")
    if (zoo / "pixel").exists():
        build_pixel_scheduler().save_pretrained(zoo / "pixel" / "scheduler")
    (zoo / "model_index.json").write_text(json.dumps(MODEL_INDEX, indent=2) + "\n")
    clip = {"model_cfg": model_config(len(tokenizer))}
    (zoo / "clip" / "open_clip_config.json").write_text(json.dumps(clip, indent=2) + "\n")
    write_manifest(zoo)


def write_manifest(zoo: Path) -> None:
    """SHA-256 of every file of the zoo, by relative path."""
    unlisted = ("manifest.json", "README.md")
    files = sorted(path for path in zoo.rglob("*") if path.is_file() and path.name not in unlisted)
    hashes = {path.relative_to(zoo).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    (zoo / "manifest.json").write_text(json.dumps(hashes, indent=2) + "\n")
