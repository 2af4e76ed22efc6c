"""Train every embedded model from nothing: `python -m training.make [stage ...]`, or `make mini`.

Each stage resumes from its checkpoint after a kill and is skipped once it is done; the folder of the checkpoints is
the cache (SPIN_BENCH_CACHE, else ~/.cache/spin_bench). The last stage exports the models into the package.
"""

import logging
import os
import sys
from collections.abc import Callable, Sequence

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from transformers import CLIPTextModel

from spin_bench.core.paths import cache_folder
from spin_bench.mini.clip_net import build_clip
from spin_bench.mini.looks import SHIPPED_WORLD
from spin_bench.mini.saliency_net import SaliencyNet
from spin_bench.models.imagenet import StageFeatures, feature_distance, load_classifier
from training import corpus, export, photographs
from training.loop import placed
from training.train_clip import clip_loss
from training.train_inpaint import inpaint_loss, widened
from training.train_pixel import build_pixel_scheduler, build_pixel_unet, pixel_loss
from training.train_powerpaint import build_powerpaint, powerpaint_loss, save_powerpaint
from training.train_saliency import saliency_loss
from training.train_unet import (
    TextToImage,
    build_scheduler,
    build_text_encoder,
    build_unet,
    text_to_image_loss,
    tokenise,
    trainable,
)
from training.train_vae import build_vae, latent_scale, vae_loss
from training.workshop import SHIPPED, Recipe, Workshop

log = logging.getLogger(__name__)

Stages = dict[str, Callable[[Workshop], None]]


def make_corpus(shop: Workshop) -> None:
    workers = os.cpu_count() or 1
    for start, count in ((corpus.HELD_OUT, 1000), (0, shop.recipe.scenes)):
        for done in corpus.render(
            shop.scenes_folder, start=start, count=count, workers=workers, world=shop.recipe.world
        ):
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
    vae.save_pretrained(shop.model("vae"))


def make_clip(shop: Workshop) -> None:
    clip = placed(build_clip(), shop.device)
    loss = clip_loss(clip, shop.scenes(), shop.tokenizer, batch=shop.recipe.batches["clip"], device=shop.device)
    shop.fit("clip", clip, loss)
    export.save_module(clip, shop.model("clip"))


def make_saliency(shop: Workshop) -> None:
    net = placed(SaliencyNet(), shop.device)
    loss = saliency_loss(net, shop.scenes(), batch=shop.recipe.batches["saliency"], device=shop.device)
    shop.fit("saliency", net, loss)
    export.save_module(net, shop.model("saliency"))


def _fit_text_to_image(shop: Workshop, name: str, model: TextToImage) -> None:
    scenes = shop.scenes()
    loss = text_to_image_loss(
        placed(model, shop.device),
        build_scheduler(),
        shop.latents(scenes),
        tokenise(shop.tokenizer, scenes.captions),
        tokenise(shop.tokenizer, [""]),
        batch=shop.recipe.batches[name],
        device=shop.device,
    )
    shop.fit(name, model, loss)


def make_unet_first(shop: Workshop) -> None:
    """From nothing, to where objects can be told apart."""
    model = TextToImage(build_unet(), build_text_encoder(shop.tokenizer))
    _fit_text_to_image(shop, "unet_first", model)
    model.unet.save_pretrained(shop.model("unet_first") / "unet")
    model.text_encoder.save_pretrained(shop.model("unet_first") / "text_encoder")


def make_unet(shop: Workshop) -> None:
    """The second round: a warm restart of the learning rate from the first round's average."""
    first = shop.model("unet_first")
    unet = trainable(UNet2DConditionModel.from_pretrained(first / "unet"))
    text_encoder = trainable(CLIPTextModel.from_pretrained(first / "text_encoder", attn_implementation="eager"))
    model = TextToImage(unet, text_encoder)
    _fit_text_to_image(shop, "unet", model)
    model.unet.save_pretrained(shop.model("unet"))
    model.text_encoder.save_pretrained(shop.model("text_encoder"))


def make_inpaint(shop: Workshop) -> None:
    """Fine-tuned from the text-to-image UNet."""
    fit_inpaint(shop, widened(shop.trained(UNet2DConditionModel, "unet")))


def fit_inpaint(shop: Workshop, begun: UNet2DConditionModel) -> None:
    """Train `begun` to inpaint, under the frozen text encoder."""
    scenes = shop.scenes()
    text_encoder = shop.text_encoder().requires_grad_(False).eval().to(shop.device)
    unet = placed(trainable(begun), shop.device)
    loss = inpaint_loss(
        unet,
        text_encoder,
        shop.frozen_vae(),
        build_scheduler(),
        scenes,
        shop.latents(scenes),
        tokenise(shop.tokenizer, scenes.captions),
        tokenise(shop.tokenizer, [""]),
        batch=shop.recipe.batches["inpaint_unet"],
        device=shop.device,
    )
    shop.fit("inpaint_unet", unet, loss)
    unet.save_pretrained(shop.model("inpaint_unet"))


def make_powerpaint(shop: Workshop) -> None:
    """Fine-tuned from the inpainting UNet, with the task tokens."""
    scenes = shop.scenes()
    inpaint_unet = shop.trained(UNet2DConditionModel, "inpaint_unet")
    model = build_powerpaint(inpaint_unet, shop.text_encoder(), shop.tokenizer)
    loss = powerpaint_loss(
        placed(model, shop.device),
        shop.frozen_vae(),
        build_scheduler(),
        scenes,
        shop.latents(scenes),
        shop.tokenizer,
        batch=shop.recipe.batches["powerpaint"],
        device=shop.device,
    )
    shop.fit("powerpaint", model, loss)
    save_powerpaint(model, shop.model("powerpaint"))


def make_photographs(shop: Workshop) -> None:
    """The pixel-space model's own pictures, of more scenes than the others see."""
    for done in photographs.render(
        shop.photographs_folder, scenes=shop.recipe.photograph_scenes, workers=os.cpu_count() or 1
    ):
        log.info("rendered %d shards of photographs", done)


def make_pixel(shop: Workshop) -> None:
    unet = placed(build_pixel_unet(), shop.device)
    loss = pixel_loss(
        unet,
        build_pixel_scheduler(),
        photographs.load(shop.photographs_folder, scenes=shop.recipe.photograph_scenes),
        batch=shop.recipe.batches["pixel"],
        device=shop.device,
    )
    shop.fit("pixel", unet, loss)
    unet.save_pretrained(shop.model("pixel") / "unet")


def make_export(shop: Workshop) -> None:
    export.export_zoo(shop.folder / "models", shop.tokenizer)


# In the order in which they need each other.
STAGES: Stages = {
    "corpus": make_corpus,
    "vae": make_vae,
    "clip": make_clip,
    "saliency": make_saliency,
    "unet_first": make_unet_first,
    "unet": make_unet,
    "inpaint_unet": make_inpaint,
    "powerpaint": make_powerpaint,
    "photographs": make_photographs,
    "pixel": make_pixel,
    "export": make_export,
}


def run_stages(stages: Stages, recipe: Recipe, names: Sequence[str]) -> None:
    """The named stages of `stages`; the first world's state is kept in `mini`, another's in `mini-<world>`."""
    folder = cache_folder() / ("mini" if recipe.world == SHIPPED_WORLD else f"mini-{recipe.world}")
    folder.mkdir(parents=True, exist_ok=True)
    handlers: list[logging.Handler] = [logging.StreamHandler(), logging.FileHandler(folder / "training.log")]
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", handlers=handlers)
    device = torch.device(
        "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    )
    shop = Workshop(folder, recipe, device)
    for name in names:
        if name in shop.recipe.plans and shop.finished(name):
            log.info("stage %s: done before", name)
            continue
        log.info("stage %s", name)
        torch.manual_seed(0)  # initial weights
        stages[name](shop)


if __name__ == "__main__":
    run_stages(STAGES, SHIPPED, sys.argv[1:] or list(STAGES))
