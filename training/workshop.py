"""What every stage of `make mini` works with: the recipe, the corpus, its latents, checkpoints and finished models."""

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import CLIPTextModel

from spin_bench.mini.looks import SHIPPED_WORLD
from spin_bench.mini.weights import ZOO
from training import corpus
from training.loop import Plan, StepLoss, steps_done, train
from training.tokenizer import build_tokenizer
from training.train_vae import encode_corpus

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recipe:
    """Sizes and lengths of everything."""

    scenes: int
    photograph_scenes: int  # among which the pixel-space model's photographs are
    plans: dict[str, Plan]
    batches: dict[str, int]
    world: int = SHIPPED_WORLD


# What made the shipped models.
SHIPPED = Recipe(
    scenes=30_000,
    photograph_scenes=200_000,
    plans={
        "vae": Plan(steps=3000, lr=1.5e-3, warmup=100, ema=0.995, log_steps=50),
        "clip": Plan(steps=1500, lr=1e-3, warmup=100, ema=0.99),
        "saliency": Plan(steps=1000, lr=2e-3, warmup=50, ema=0.99),
        "unet_first": Plan(steps=3300, lr=7e-4, warmup=200, decay=0.3, ema=0.999, weight_decay=0.0),
        "unet": Plan(steps=5500, lr=7e-4, warmup=200, decay=0.6, ema=0.999, weight_decay=0.0, seed=10_000),
        "inpaint_unet": Plan(steps=3000, lr=4e-4, warmup=100, decay=0.7, ema=0.998, weight_decay=0.0, seed=20_000),
        "powerpaint": Plan(steps=2000, lr=3e-4, warmup=100, decay=0.7, ema=0.998, weight_decay=0.0, seed=30_000),
        "pixel": Plan(steps=2900, lr=1e-3, warmup=300, decay=0.7, ema=0.999, weight_decay=0.0),
    },
    batches={
        "vae": 16,
        "clip": 128,
        "saliency": 32,
        "unet_first": 32,
        "unet": 32,
        "inpaint_unet": 32,
        "powerpaint": 32,
        "pixel": 1024,  # 3 M pictures: five minutes of an H200, most of a day of two CPU cores
    },
)


# The world of individuals, begun from the shipped models.
INDIVIDUALS = Recipe(
    scenes=30_000,
    photograph_scenes=200_000,
    plans={
        "clip": Plan(steps=600, lr=8e-4, warmup=30, ema=0.99, log_steps=10),
        "unet": Plan(steps=7000, lr=6e-4, warmup=100, decay=0.6, ema=0.999, weight_decay=0.0, log_steps=20),
        "saliency": Plan(steps=600, lr=1e-3, warmup=50, ema=0.99, log_steps=20),
        "inpaint_unet": Plan(steps=3000, lr=4e-4, warmup=100, decay=0.7, ema=0.998, weight_decay=0.0, seed=20_000),
        "powerpaint": Plan(steps=2000, lr=3e-4, warmup=100, decay=0.7, ema=0.998, weight_decay=0.0, seed=30_000),
        "pixel": SHIPPED.plans["pixel"],
    },
    batches=SHIPPED.batches | {"clip": 64},  # beside each picture a view of it
    world=2,
)


class Workshop:
    """Where training keeps its state, and what the stages share."""

    def __init__(self, folder: Path, recipe: Recipe, device: torch.device):
        self.folder, self.recipe, self.device = folder, recipe, device
        self.scenes_folder = folder / f"corpus-{recipe.world}"
        self.photographs_folder = folder / f"photographs-{recipe.world}"
        self.tokenizer = build_tokenizer(recipe.world)

    def scenes(self) -> corpus.Corpus:
        return corpus.load(self.scenes_folder, start=0, count=self.recipe.scenes)

    def latents(self, scenes: corpus.Corpus) -> Tensor:
        """Latents of `scenes`, then of their mirror images, (2N, 4, 16, 16) float16; kept for the stages to come."""
        vae = self.frozen_vae()
        weights = hashlib.sha256(b"".join(p.detach().cpu().numpy().tobytes() for p in vae.parameters())).hexdigest()
        path = self.folder / f"latents-{self.recipe.world}-{len(scenes.captions)}-{weights[:12]}.safetensors"
        if not path.exists():
            save_file({"latents": encode_corpus(vae, torch.from_numpy(scenes.pictures), self.device)}, path)
        return load_file(path)["latents"]

    def checkpoint(self, name: str) -> Path:
        return self.folder / "training" / f"{name}.safetensors"

    def finished(self, name: str) -> bool:
        """True where stage `name` was trained to its end."""
        return steps_done(self.checkpoint(name)) >= self.recipe.plans[name].steps and self.model(name).exists()

    def fit(self, name: str, module: nn.Module, loss: StepLoss) -> None:
        log.info("training %s: %.1f M parameters", name, sum(p.numel() for p in module.parameters()) / 1e6)
        train(module, loss, plan=self.recipe.plans[name], checkpoint=self.checkpoint(name), device=self.device)

    def model(self, name: str) -> Path:
        """Folder of a finished model, to be exported."""
        return self.folder / "models" / name

    def frozen_vae(self) -> AutoencoderKL:
        return self.trained(AutoencoderKL, "vae").requires_grad_(False).eval().to(self.device)

    def text_encoder(self) -> CLIPTextModel:
        """The finished one, its attention unfused for training: the CPU's fused one is slow backwards."""
        here = self.model("text_encoder")
        return CLIPTextModel.from_pretrained(
            here if here.exists() else ZOO / "text_encoder", attn_implementation="eager"
        )

    def trained(self, kind: Any, name: str) -> Any:
        """A finished model of class `kind`: the one trained here, else the shipped one."""
        here = self.model(name)
        return kind.from_pretrained(here if here.exists() else ZOO / name)
