"""A published Stable Diffusion stack, by repositories and revisions or from a local folder in diffusers' layout."""

from pathlib import Path

import torch

from spin_bench.core.errors import UserError
from spin_bench.core.identity import sha256_of_file
from spin_bench.models.config import StackConfig
from spin_bench.models.hub.client import cached, commit_of
from spin_bench.models.hub.files import pixel_folder, stack_files
from spin_bench.models.loading.parts import published_loaders, random_loaders
from spin_bench.models.loading.random_weights import RANDOM
from spin_bench.models.placement import Placement, Turns, set_numerics
from spin_bench.models.stack import Stack

BASE = ("vae", "unet", "text_encoder", "tokenizer", "scheduler")
SOURCES = {"published": published_loaders, "random": random_loaders}


def _weights_of(folder: Path) -> dict[str, str]:
    """SHA-256 of every weights file below a local folder."""
    files = sorted(folder.rglob("*.safetensors"))
    return {path.relative_to(folder).as_posix(): sha256_of_file(path) for path in files}


def _fingerprint(config: StackConfig) -> dict[str, dict[str, str]]:
    """By part and file: the hash, where the stack or its lock file knows one, else the commit."""
    if config.weights == "random":
        return dict(RANDOM)
    parts: dict[str, dict[str, str]] = {}
    for file in stack_files(config):
        path = cached(file)
        known = file.sha256 or file.revision or (commit_of(path) if path else "main")
        parts.setdefault(file.part, {})[file.key] = known
    if config.root:
        parts |= dict.fromkeys(
            ("vae", "unet", "text_encoder", "tokenizer", "scheduler"), _weights_of(Path(config.root))
        )
    if folder := pixel_folder(config):
        parts["pixel"] = _weights_of(folder)
    return parts


def load_stable_diffusion(config: StackConfig, device: torch.device, dtype: torch.dtype) -> Stack:
    """Raises `UserError` where a repository or folder cannot be read; only safetensors are."""
    if config.root and not (Path(config.root) / "unet").is_dir():
        raise UserError(f"stack.root={config.root}: no diffusers layout there (no folder unet)")
    stack_files(config)  # every name that it says is known
    placement = Placement(
        channels_last=config.channels_last,
        compile=config.compile,
        vae_slicing=config.vae_slicing,
        checkpointing=config.checkpointing,
        turns=Turns(device) if config.offload else None,
    )
    numerics = set_numerics(tf32=config.tf32, cudnn_benchmark=config.cudnn_benchmark)
    loaders, random = SOURCES[config.weights](config, device, dtype), config.weights == "random"
    return Stack(config.name, config.canvas, device, dtype, _fingerprint(config), loaders, placement, numerics, random)
