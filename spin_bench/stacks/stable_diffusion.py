"""A published Stable Diffusion checkpoint in diffusers' layout, by repository and revision or from a local folder."""

import hashlib
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from spin_bench.errors import UserError
from spin_bench.stack import Loaders, Stack
from spin_bench.stacks.config import StackConfig
from spin_bench.stacks.open_clip_model import OpenClipModel
from spin_bench.stacks.perceptual import ImageNetJudge


class Lpips:
    """LPIPS (Zhang et al. 2018) with its calibrated heads, as the `lpips` package publishes it."""

    def __init__(self, net: str, device: torch.device):
        import lpips

        self.name = f"LPIPS-{net}"
        self._network: nn.Module = lpips.LPIPS(net=net, verbose=False).requires_grad_(False).eval().to(device)
        self._device = device

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        return self._network(a.float().to(self._device), b.float().to(self._device)).flatten()


def _open_clip(config: StackConfig, device: torch.device) -> OpenClipModel:
    import open_clip

    model = open_clip.create_model(config.clip, pretrained=config.clip_pretrained)
    return OpenClipModel(
        model,
        open_clip.get_tokenizer(config.clip),
        name=f"CLIP {config.clip} ({config.clip_pretrained})",
        mean=open_clip.OPENAI_DATASET_MEAN,
        std=open_clip.OPENAI_DATASET_STD,
        device=device,
    )


def _fingerprint(config: StackConfig) -> dict[str, str]:
    """The repository's pinned revision, or the hash of every weights file of a local folder."""
    clip = {"clip": f"{config.clip}/{config.clip_pretrained}"}
    if not config.root:
        return {config.diffusion: config.revision, **clip}
    files = sorted(Path(config.root).rglob("*.safetensors"))
    return {
        path.relative_to(config.root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    } | clip


def load_stable_diffusion(config: StackConfig, device: torch.device, dtype: torch.dtype) -> Stack:
    """Raises `UserError` where the repository or folder cannot be read; only safetensors are."""
    if config.root and not (Path(config.root) / "unet").is_dir():
        raise UserError(f"stack.root={config.root}: no diffusers layout there (no folder unet)")

    def part(kind: Any, folder: str, *, weights: bool = True) -> Any:
        options = {"use_safetensors": True, "torch_dtype": dtype} if weights else {}
        source, revision = (config.root, None) if config.root else (config.diffusion, config.revision)
        try:
            return kind.from_pretrained(source, subfolder=folder, revision=revision, **options)
        except OSError as error:
            where = f"{source}/{folder}"
            raise UserError(f"{where}: cannot be loaded ({str(error).splitlines()[0]})") from error

    loaders = Loaders(
        vae=lambda: part(AutoencoderKL, "vae"),
        unet=lambda: part(UNet2DConditionModel, "unet"),
        text_encoder=lambda: part(CLIPTextModel, "text_encoder"),
        tokenizer=lambda: part(CLIPTokenizer, "tokenizer", weights=False),
        scheduler=lambda: DDIMScheduler.from_config(
            part(DDIMScheduler, "scheduler", weights=False).config, clip_sample=False, set_alpha_to_one=False
        ),
        clip=lambda: _open_clip(config, device),
        perceptual=lambda: Lpips(config.lpips_net, device),
        judge=lambda: ImageNetJudge(device),
    )
    return Stack(config.name, config.canvas, device, dtype, _fingerprint(config), loaders)
