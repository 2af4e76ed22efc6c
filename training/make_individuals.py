"""Train the embedded models in the world of individuals, begun from the shipped ones.

`python -m training.make_individuals [--scenes N] [stage ...]`: as `training.make`, in a folder of its own
beside the first world's. Fewer scenes than the recipe's will do to begin with; a stage resumes with more.
"""

import argparse
import shutil
from collections.abc import Callable
from dataclasses import replace

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file
from torch import nn
from transformers import CLIPTextModel, CLIPTokenizer

from spin_bench.mini.clip_net import build_clip
from spin_bench.mini.saliency_net import SaliencyNet
from spin_bench.mini.weights import ZOO
from training import export, make
from training.corpus import other_captions
from training.individuals_loss import individuals_loss
from training.loop import placed
from training.moved_weights import moved
from training.train_judge import judge_loss
from training.train_saliency import saliency_loss
from training.train_unet import TextToImage, build_scheduler, build_text_encoder, tokenise, trainable
from training.vocabulary import carried_over
from training.workshop import INDIVIDUALS, Workshop

CAPTIONS = 6  # a scene, for the UNet


def begun(module: nn.Module, shipped: dict[str, torch.Tensor], words: str, shop: Workshop) -> nn.Module:
    """`module` with the shipped weights; `words` names the tensor of token vectors, carried over to the new words."""
    old = CLIPTokenizer.from_pretrained(ZOO / "tokenizer")
    state = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in shipped.items()}
    state[words] = carried_over(state[words], old, shop.tokenizer)
    module.load_state_dict(state)
    return module


def make_clip(shop: Workshop) -> None:
    shipped = load_file(ZOO / "clip" / "model.safetensors")
    clip = placed(begun(build_clip(len(shop.tokenizer)), shipped, "token_embedding.weight", shop), shop.device)
    loss = judge_loss(clip, shop.scenes(), shop.tokenizer, batch=shop.recipe.batches["clip"], device=shop.device)
    shop.fit("clip", clip, loss)
    export.save_module(clip, shop.model("clip"))


def begun_text_encoder(shop: Workshop) -> CLIPTextModel:
    """The shipped text encoder, knowing the new words by name alone."""
    shipped = CLIPTextModel.from_pretrained(ZOO / "text_encoder").state_dict()
    words = next(name for name in shipped if name.endswith("token_embedding.weight"))
    encoder = begun(build_text_encoder(shop.tokenizer), shipped, words, shop)
    assert isinstance(encoder, CLIPTextModel)
    return encoder


def make_unet(shop: Workshop) -> None:
    """UNet and text encoder together, under the loss that teaches looks."""
    scenes = shop.scenes()
    captions = other_captions(0, shop.recipe.scenes, variants=CAPTIONS, world=shop.recipe.world)
    token_ids = tokenise(shop.tokenizer, [text for variants in captions for text in variants])
    unet = trainable(UNet2DConditionModel.from_pretrained(ZOO / "unet", torch_dtype=torch.float32))
    model = TextToImage(unet, begun_text_encoder(shop))
    loss = individuals_loss(
        placed(model, shop.device),
        build_scheduler(),
        shop.latents(scenes),
        torch.from_numpy(scenes.masks),
        token_ids.unflatten(0, (-1, CAPTIONS)),
        tokenise(shop.tokenizer, [""]),
        batch=shop.recipe.batches["unet"],
        device=shop.device,
    )
    shop.fit("unet", model, loss)
    model.unet.save_pretrained(shop.model("unet"))
    model.text_encoder.save_pretrained(shop.model("text_encoder"))


def make_saliency(shop: Workshop) -> None:
    net = SaliencyNet()
    net.load_state_dict({n: t.float() for n, t in load_file(ZOO / "saliency" / "model.safetensors").items()})
    net = placed(net, shop.device)
    loss = saliency_loss(net, shop.scenes(), batch=shop.recipe.batches["saliency"], device=shop.device)
    shop.fit("saliency", net, loss)
    export.save_module(net, shop.model("saliency"))


def make_inpaint(shop: Workshop) -> None:
    """Fine-tuned from the shipped inpainting UNet, moved as the text-to-image UNet was."""
    shipped = [
        UNet2DConditionModel.from_pretrained(ZOO / name, torch_dtype=torch.float32) for name in ("unet", "inpaint_unet")
    ]
    make.fit_inpaint(shop, moved(shipped[1], shipped[0], shop.trained(UNet2DConditionModel, "unet")))


def make_export(shop: Workshop) -> None:
    """Into a folder of its own, read by `stack.root`: what was trained here, and what of the shipped serves on."""
    zoo = shop.folder / "zoo"
    for name in ("vae", "pixel", "inpaint_unet", "saliency"):
        shutil.copytree(ZOO / name, zoo / name, dirs_exist_ok=True)
    export.export_zoo(shop.folder / "models", shop.tokenizer, zoo)


# In the order in which they need each other. The VAE stays the shipped one: its figures hold for the new looks.
STAGES: dict[str, Callable[[Workshop], None]] = {
    "corpus": make.make_corpus,
    "clip": make_clip,
    "unet": make_unet,
    "saliency": make_saliency,
    "inpaint_unet": make_inpaint,
    "powerpaint": make.make_powerpaint,
    "photographs": make.make_photographs,
    "pixel": make.make_pixel,
    "export": make_export,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=INDIVIDUALS.scenes)
    parser.add_argument("stages", nargs="*", default=list(STAGES))
    given = parser.parse_args()
    make.run_stages(STAGES, replace(INDIVIDUALS, scenes=given.scenes), given.stages)


if __name__ == "__main__":
    main()
