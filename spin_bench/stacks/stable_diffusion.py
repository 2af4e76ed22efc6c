"""A published Stable Diffusion checkpoint in diffusers' layout, by repository and revision or from a local folder."""

import hashlib
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, DDPMScheduler, UNet2DConditionModel, UNet2DModel
from huggingface_hub import hf_hub_download
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from spin_bench.errors import UserError
from spin_bench.stack import Loaders, PixelDiffusion, PowerPaint, Stack
from spin_bench.stacks.config import StackConfig
from spin_bench.stacks.open_clip_model import OpenClipModel
from spin_bench.stacks.perceptual import ImageNetJudge
from spin_bench.stacks.powerpaint_checkpoint import load_powerpaint


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


def _weights_of(folder: Path) -> dict[str, str]:
    """SHA-256 of every weights file below a local folder."""
    files = sorted(folder.rglob("*.safetensors"))
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _fingerprint(config: StackConfig) -> dict[str, dict[str, str]]:
    """The pinned revision of every part's repository, or the hash of every weights file of a local folder."""
    base = {config.diffusion: config.revision} if not config.root else _weights_of(Path(config.root))
    parts = dict.fromkeys(("vae", "unet", "text_encoder", "tokenizer", "scheduler"), base)
    inpaint = {config.inpaint: config.inpaint_revision}
    optional = {
        "inpaint_unet": inpaint if config.inpaint else None,
        "powerpaint": inpaint | {config.powerpaint: config.powerpaint_revision} if config.powerpaint else None,
        "pixel": _weights_of(Path(config.pixel)) if config.pixel else None,
    }
    parts |= {part: found for part, found in optional.items() if found is not None}
    return parts | {"clip": {config.clip: config.clip_pretrained}, "perceptual": {"lpips": config.lpips_net}}


def _part(kind: Any, source: str, folder: str, *, revision: str | None, **options: Any) -> Any:
    """One model of a diffusers layout on the hub or on disk."""
    try:
        return kind.from_pretrained(source, subfolder=folder, revision=revision or None, **options)
    except OSError as error:
        raise UserError(f"{source}/{folder}: cannot be loaded ({str(error).splitlines()[0]})") from error


def _hub_file(repository: str, name: str, revision: str) -> Path:
    try:
        return Path(hf_hub_download(repository, name, revision=revision or None))
    except OSError as error:
        raise UserError(f"{repository}/{name}: cannot be fetched ({str(error).splitlines()[0]})") from error


def load_stable_diffusion(config: StackConfig, device: torch.device, dtype: torch.dtype) -> Stack:
    """Raises `UserError` where a repository or folder cannot be read; only safetensors are."""
    if config.root and not (Path(config.root) / "unet").is_dir():
        raise UserError(f"stack.root={config.root}: no diffusers layout there (no folder unet)")
    weights = {"use_safetensors": True, "torch_dtype": dtype}
    source, revision = (config.root, None) if config.root else (config.diffusion, config.revision)

    def tokenizer() -> CLIPTokenizer:
        return _part(CLIPTokenizer, source, "tokenizer", revision=revision)

    def text_encoder() -> CLIPTextModel:
        return _part(CLIPTextModel, source, "text_encoder", revision=revision, **weights)

    def scheduler() -> DDIMScheduler:
        published = _part(DDIMScheduler, source, "scheduler", revision=revision)
        return DDIMScheduler.from_config(published.config, clip_sample=False, set_alpha_to_one=False)

    def inpaint_unet() -> UNet2DConditionModel:
        return _part(UNet2DConditionModel, config.inpaint, "unet", revision=config.inpaint_revision, **weights)

    def powerpaint() -> PowerPaint:
        files = ("unet/unet.safetensors", "text_encoder/text_encoder.safetensors")
        unet_file, text_file = (_hub_file(config.powerpaint, name, config.powerpaint_revision) for name in files)
        base = {"unet": inpaint_unet(), "text_encoder": text_encoder(), "tokenizer": tokenizer()}
        return load_powerpaint(unet_file, text_file, **base)

    def pixel() -> PixelDiffusion:
        unet = _part(UNet2DModel, config.pixel, "unet", revision=None, **weights)
        return PixelDiffusion(unet, _part(DDPMScheduler, config.pixel, "scheduler", revision=None))

    loaders = Loaders(
        vae=lambda: _part(AutoencoderKL, source, "vae", revision=revision, **weights),
        unet=lambda: _part(UNet2DConditionModel, source, "unet", revision=revision, **weights),
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        scheduler=scheduler,
        clip=lambda: _open_clip(config, device),
        perceptual=lambda: Lpips(config.lpips_net, device),
        judge=lambda: ImageNetJudge(device),
        inpaint_unet=inpaint_unet if config.inpaint else None,
        powerpaint=powerpaint if config.powerpaint else None,
        pixel=pixel if config.pixel else None,
    )
    return Stack(config.name, config.canvas, device, dtype, _fingerprint(config), loaders)
