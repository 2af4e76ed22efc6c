"""Train every embedded model from nothing: `python -m spin_bench.mini.make [stage ...]`, or `make mini`.

Each stage resumes from its checkpoint after a kill and is skipped once it is done; the folder of the checkpoints is
the cache (SPIN_BENCH_CACHE, else ~/.cache/spin_bench). The last stage exports the models into the package.
"""

import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from diffusers.models.attention_processor import AttnProcessor
from torch import nn

from spin_bench.mini import corpus, export
from spin_bench.mini.saliency_net import SaliencyNet
from spin_bench.mini.tokenizer import build_tokenizer
from spin_bench.mini.train_clip import build_clip, clip_loss
from spin_bench.mini.train_saliency import saliency_loss
from spin_bench.mini.train_unet import (
    TextToImage,
    build_scheduler,
    build_text_encoder,
    build_unet,
    encode_corpus,
    text_to_image_loss,
    tokenise,
)
from spin_bench.mini.train_vae import build_vae, latent_scale, vae_loss
from spin_bench.mini.training import Plan, StepLoss, placed, train
from spin_bench.paths import cache_folder
from spin_bench.stacks.imagenet import StageFeatures, feature_distance, load_classifier

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recipe:
    """Sizes and lengths of everything."""

    scenes: int
    plans: dict[str, Plan]
    batches: dict[str, int]


# What made the shipped models.
SHIPPED = Recipe(
    scenes=30_000,
    plans={
        "vae": Plan(steps=3000, lr=1.5e-3, warmup=100, ema=0.995, log_steps=50),
        "clip": Plan(steps=1500, lr=1e-3, warmup=100, ema=0.99),
        "saliency": Plan(steps=1000, lr=2e-3, warmup=50, ema=0.99),
        "unet": Plan(steps=3300, lr=7e-4, warmup=200, decay=0.3, ema=0.999, weight_decay=0.0),
    },
    batches={"vae": 16, "clip": 128, "saliency": 32, "unet": 32},
)


class Workshop:
    """Where training keeps its state, and what the stages share."""

    def __init__(self, folder: Path, recipe: Recipe, device: torch.device):
        self.folder, self.recipe, self.device = folder, recipe, device
        self.scenes_folder = folder / f"corpus-{corpus.WORLD_VERSION}"
        self.tokenizer = build_tokenizer()

    def scenes(self) -> corpus.Corpus:
        return corpus.load(self.scenes_folder, start=0, count=self.recipe.scenes)

    def checkpoint(self, name: str) -> Path:
        return self.folder / "training" / f"{name}.safetensors"

    def fit(self, name: str, module: nn.Module, loss: StepLoss) -> None:
        log.info("training %s: %.1f M parameters", name, sum(p.numel() for p in module.parameters()) / 1e6)
        train(module, loss, plan=self.recipe.plans[name], checkpoint=self.checkpoint(name), device=self.device)

    def trained_vae(self) -> AutoencoderKL:
        return AutoencoderKL.from_pretrained(self.folder / "models" / "vae").to(self.device)


def make_corpus(shop: Workshop) -> None:
    workers = os.cpu_count() or 1
    for start, count in ((corpus.HELD_OUT, 1000), (0, shop.recipe.scenes)):
        for done in corpus.render(shop.scenes_folder, start=start, count=count, workers=workers):
            log.info("rendered %d of %d scenes", done, count)


def make_vae(shop: Workshop) -> None:
    vae = build_vae()
    vae.set_attn_processor(AttnProcessor())  # the CPU's fused attention is slow backwards
    features = StageFeatures(load_classifier(), 3).to(shop.device)
    scenes = shop.scenes()
    loss = vae_loss(
        placed(vae, shop.device),
        lambda a, b: feature_distance(features, a, b).mean(),
        scenes,
        batch=shop.recipe.batches["vae"],
        device=shop.device,
    )
    shop.fit("vae", vae, loss)
    vae.register_to_config(scaling_factor=latent_scale(vae, scenes.pictures[:2000], shop.device))
    vae.save_pretrained(shop.folder / "models" / "vae")


def make_clip(shop: Workshop) -> None:
    clip = placed(build_clip(), shop.device)
    loss = clip_loss(clip, shop.scenes(), shop.tokenizer, batch=shop.recipe.batches["clip"], device=shop.device)
    shop.fit("clip", clip, loss)
    export.save_module(clip, shop.folder / "models" / "clip")


def make_saliency(shop: Workshop) -> None:
    net = placed(SaliencyNet(), shop.device)
    loss = saliency_loss(net, shop.scenes(), batch=shop.recipe.batches["saliency"], device=shop.device)
    shop.fit("saliency", net, loss)
    export.save_module(net, shop.folder / "models" / "saliency")


def make_unet(shop: Workshop) -> None:
    scenes, scheduler = shop.scenes(), build_scheduler()
    model = TextToImage(build_unet(), build_text_encoder(shop.tokenizer))
    loss = text_to_image_loss(
        placed(model, shop.device),
        scheduler,
        encode_corpus(shop.trained_vae(), torch.from_numpy(scenes.pictures), shop.device),
        tokenise(shop.tokenizer, scenes.captions),
        tokenise(shop.tokenizer, [""]),
        batch=shop.recipe.batches["unet"],
        device=shop.device,
    )
    shop.fit("unet", model, loss)
    model.unet.save_pretrained(shop.folder / "models" / "unet")
    model.text_encoder.save_pretrained(shop.folder / "models" / "text_encoder")


def make_export(shop: Workshop) -> None:
    export.export_zoo(shop.folder / "models", shop.tokenizer)


STAGES: dict[str, Callable[[Workshop], None]] = {
    "corpus": make_corpus,
    "vae": make_vae,
    "clip": make_clip,
    "saliency": make_saliency,
    "unet": make_unet,
    "export": make_export,
}


def main(names: list[str]) -> None:
    folder = cache_folder() / "mini"
    folder.mkdir(parents=True, exist_ok=True)
    handlers: list[logging.Handler] = [logging.StreamHandler(), logging.FileHandler(folder / "training.log")]
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", handlers=handlers)
    device = torch.device(
        "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    )
    shop = Workshop(folder, SHIPPED, device)
    for name in names or list(STAGES):
        log.info("stage %s", name)
        torch.manual_seed(0)  # initial weights
        STAGES[name](shop)


if __name__ == "__main__":
    main(sys.argv[1:])
