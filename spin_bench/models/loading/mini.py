"""The embedded stack: the trained models that ship inside the package, every file checked against its hash."""

from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, DDPMScheduler, UNet2DConditionModel, UNet2DModel
from safetensors.torch import load_file
from torch import nn
from transformers import CLIPTextModel, CLIPTokenizer

from spin_bench.mini.clip_net import build_clip, clip_token_ids
from spin_bench.mini.saliency_net import SaliencyNet
from spin_bench.mini.weights import ZOO, checked_manifest
from spin_bench.models.config import StackConfig
from spin_bench.models.loading.random_weights import randomised
from spin_bench.models.open_clip_model import OpenClipModel
from spin_bench.models.perceptual import ImageNetJudge, UncalibratedPerceptual
from spin_bench.models.stack import Loaders, PixelDiffusion, PowerPaint, Stack
from spin_bench.models.task_tokens import task_tokenizer


def _plain(module: nn.Module, path: Path) -> nn.Module:
    state = {name: t.float() if t.is_floating_point() else t for name, t in load_file(path).items()}
    module.load_state_dict(state)
    return module


def load_mini(config: StackConfig, device: torch.device, dtype: torch.dtype) -> Stack:
    """Raises `UserError` where a shipped file is missing or altered."""
    zoo = Path(config.root) if config.root else ZOO
    fingerprint: dict[str, dict[str, str]] = {}
    for name, digest in checked_manifest(zoo).items():
        part, _, file = name.partition("/")
        fingerprint.setdefault(part, {})[file] = digest

    def clip() -> OpenClipModel:
        tokenizer = CLIPTokenizer.from_pretrained(zoo / "tokenizer")
        return OpenClipModel(
            _plain(build_clip(len(tokenizer)), zoo / "clip" / "model.safetensors"),
            lambda texts: clip_token_ids(tokenizer, texts),
            name="mini-CLIP",
            mean=(0.5, 0.5, 0.5),
            std=(0.5, 0.5, 0.5),
            device=device,
        )

    def inpaint_unet() -> UNet2DConditionModel:
        return UNet2DConditionModel.from_pretrained(zoo / "inpaint_unet")

    def powerpaint() -> PowerPaint:
        return PowerPaint(
            UNet2DConditionModel.from_pretrained(zoo / "powerpaint" / "unet"),
            CLIPTextModel.from_pretrained(zoo / "powerpaint" / "text_encoder"),
            task_tokenizer(CLIPTokenizer.from_pretrained(zoo / "tokenizer")),
        )

    def pixel() -> PixelDiffusion:
        return PixelDiffusion(
            UNet2DModel.from_pretrained(zoo / "pixel" / "unet"),
            DDPMScheduler.from_pretrained(zoo / "pixel" / "scheduler"),
        )

    loaders = Loaders(
        vae=lambda: AutoencoderKL.from_pretrained(zoo / "vae"),
        unet=lambda: UNet2DConditionModel.from_pretrained(zoo / "unet"),
        text_encoder=lambda: CLIPTextModel.from_pretrained(zoo / "text_encoder"),
        tokenizer=lambda: CLIPTokenizer.from_pretrained(zoo / "tokenizer"),
        scheduler=lambda: DDIMScheduler.from_pretrained(zoo / "scheduler"),
        clip=clip,
        perceptual=lambda: UncalibratedPerceptual(device),
        judge=lambda: ImageNetJudge(device),
        saliency=lambda: _plain(SaliencyNet(), zoo / "saliency" / "model.safetensors"),
        inpaint_unet=inpaint_unet if "inpaint_unet" in fingerprint else None,
        powerpaint=powerpaint if "powerpaint" in fingerprint else None,
        pixel=pixel if "pixel" in fingerprint else None,
    )
    stack = Stack(config.name, config.canvas, device, dtype, fingerprint, loaders)
    return randomised(stack) if config.weights == "random" else stack
