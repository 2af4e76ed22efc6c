"""Distances and features from the ImageNet network that nobody here trained."""

import torch
import torch.nn.functional as F
from torch import Tensor

from spin_bench.models.imagenet import StageFeatures, feature_distance, load_classifier

JUDGE_SIDE = 128  # px; small pictures are enlarged, since the network's last stage shrinks 32 times


class UncalibratedPerceptual:
    """LPIPS without its calibrated linear heads, over EfficientNet-Lite0's first five stages."""

    name = "EfficientNet-Lite0 (ImageNet), uncalibrated"

    def __init__(self, device: torch.device):
        self._features = StageFeatures(load_classifier(), 5).to(device)
        self._device = device

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        return feature_distance(self._features, a.float().to(self._device), b.float().to(self._device))


class ImageNetJudge:
    """Pooled features of EfficientNet-Lite0, of unit length; (N, 3, H, W) in [-1, 1] to (N, 1280)."""

    name = "EfficientNet-Lite0 (ImageNet)"

    def __init__(self, device: torch.device):
        self._classifier = load_classifier().to(device)
        self._device = device

    def __call__(self, images: Tensor) -> Tensor:
        images = images.float().to(self._device)
        images = F.interpolate(images, (JUDGE_SIDE, JUDGE_SIDE), mode="bicubic", antialias=True).clamp(-1, 1)
        pooled = self._classifier.forward_head(self._classifier.forward_features(images), pre_logits=True)
        return F.normalize(pooled, dim=1)
