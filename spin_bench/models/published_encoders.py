"""Encoders by name: the architecture, and the one safetensors file that is its published weights.

open_clip's `openai` weights were trained with QuickGELU, which an architecture's plain name does not say, so it is
forced. LPIPS is torchvision's VGG-16, which timm's repository holds as safetensors, and the heads of the `lpips` wheel.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from spin_bench.models.hub.client import HubFile, located
from spin_bench.models.loading.layouts import bare
from spin_bench.models.loading.random_weights import filled
from spin_bench.models.open_clip_model import OpenClipModel

# Gives a bare module its weights.
Fill = Callable[[nn.Module, HubFile], nn.Module]


@dataclass(frozen=True)
class Encoder:
    """Where an encoder's weights are, pinned where a public fact gives the commit and the hash."""

    repository: str
    name: str
    revision: str = ""
    sha256: str = ""
    size: int = 0  # bytes; 0 where not known

    def file(self, part: str) -> HubFile:
        return HubFile(part, self.repository, self.revision, self.name, self.sha256, self.size)


CLIPS: dict[str, Encoder] = {
    "ViT-L-14": Encoder(
        "timm/vit_large_patch14_clip_224.openai",
        "open_clip_model.safetensors",
        "18d0535469bb561bf468d76c1d73aa35156c922b",
        "9ce2e8a8ebfff3793d7d375ad6d3c35cb9aebf3de7ace0fc7308accab7cd207e",
        1_710_517_724,
    ),
    "ViT-B-16": Encoder(
        "timm/vit_base_patch16_clip_224.openai",
        "open_clip_model.safetensors",
        "977e3dd0ec55ab8da155f2fbeb6b5f54948b6e3d",
        "4b8699299b1e8997753c64b052ba32031449d5d853f55a039148560ee02b820f",
    ),
    "ViT-B-32": Encoder(
        "timm/vit_base_patch32_clip_224.openai",
        "open_clip_model.safetensors",
        "a6f597a30f7b82c51704746581f9a4e41421e878",
        "e6d1bd7789aa45192b3bf90570a789b478bae1b74ebcce7eddd908e83a2b7c31",
        605_143_284,
    ),
}

LPIPS_NETS: dict[str, Encoder] = {
    "vgg": Encoder(
        "timm/vgg16.tv_in1k",
        "model.safetensors",
        "b8d8aa2dd860af9233c8c67385a8097fd6c35d3f",
        "57b026918159a6bf9faf8405c3a551903768e7138989d9c6224a14227203fad8",
    ),
}

DINO = Encoder("timm/vit_base_patch16_224.dino", "model.safetensors")
JUDGES: dict[str, Encoder | None] = {"efficientnet_lite0": None, "dino": DINO}  # None: in a wheel
DINO_SIDE = 224  # px
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def published(module: nn.Module, file: HubFile) -> nn.Module:
    """Every weight of `module` from `file`, which may hold others beside them."""
    state = load_file(located(file))
    module.load_state_dict({name: state[name].float() for name in module.state_dict() if name in state}, assign=True)
    return module


def randomly(module: nn.Module, file: HubFile) -> nn.Module:
    return filled(module)


def build_clip(name: str) -> nn.Module:
    """open_clip's architecture with QuickGELU, so that it can be built bare: its factory moves what it builds."""
    import open_clip

    return open_clip.CLIP(**open_clip.get_model_config(name), quick_gelu=True)


def open_clip_encoder(name: str, part: str, fill: Fill, device: torch.device) -> OpenClipModel:
    """`name` of `CLIPS`, in float32."""
    import open_clip

    with bare():
        model = build_clip(name)
    return OpenClipModel(
        fill(model, CLIPS[name].file(part)),
        open_clip.get_tokenizer(name),
        name=f"CLIP {name} (openai)",
        mean=open_clip.OPENAI_DATASET_MEAN,
        std=open_clip.OPENAI_DATASET_STD,
        device=device,
    )


class Lpips:
    """LPIPS (Zhang et al. 2018) with its calibrated heads, from the `lpips` wheel."""

    def __init__(self, net: str, fill: Fill, device: torch.device):
        import lpips

        self.name = f"LPIPS-{net}"
        with bare():
            network = lpips.LPIPS(net=net, pretrained=False, pnet_rand=True, verbose=False)
        layers = {number: layer for part in network.net.children() for number, layer in part.named_children()}
        fill(nn.ModuleDict({"features": nn.ModuleDict(layers)}), LPIPS_NETS[net].file("perceptual"))
        heads = Path(lpips.__file__).parent / "weights" / "v0.1" / f"{net}.pth"
        network.load_state_dict(torch.load(heads, map_location="cpu", weights_only=True), strict=False, assign=True)
        self._network = network.requires_grad_(False).eval().to(device)
        self._device = device

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        return self._network(a.float().to(self._device), b.float().to(self._device)).flatten()


class DinoJudge:
    """Class tokens of DINO's ViT-B/16 (Caron et al. 2021), of unit length; (N, 3, H, W) in [-1, 1] to (N, 768)."""

    name = "DINO ViT-B/16"

    def __init__(self, fill: Fill, device: torch.device):
        import timm

        with bare():
            network = timm.create_model("vit_base_patch16_224", num_classes=0)
        self._network = fill(network, DINO.file("judge")).requires_grad_(False).eval().to(device)
        self._mean, self._std = (
            torch.tensor(values, device=device).view(1, 3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD)
        )
        self._device = device

    def __call__(self, images: Tensor) -> Tensor:
        images = images.float().to(self._device)
        images = F.interpolate(images, (DINO_SIDE, DINO_SIDE), mode="bicubic", antialias=True).clamp(-1, 1)
        return F.normalize(self._network(((images + 1) / 2 - self._mean) / self._std), dim=1)
