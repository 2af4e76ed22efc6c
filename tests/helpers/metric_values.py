"""What the tests of metrics share."""

import numpy as np
import torch
from PIL import Image

from spin_bench.core.case import Case
from spin_bench.metrics.batch import Batch
from spin_bench.metrics.registry import METRICS
from spin_bench.models.stack import Stack


def values_of(name: str, cases: list[Case], pictures: list[Image.Image], stack: Stack) -> torch.Tensor:
    with torch.no_grad():
        return METRICS[name].compute(Batch(cases, pictures, stack))


def noisy(picture: Image.Image, seed: int = 0, sigma: float = 12.0) -> Image.Image:
    noise = np.random.default_rng(seed).normal(0, sigma, (*picture.size[::-1], 3))
    return Image.fromarray((np.array(picture) + noise).clip(0, 255).astype(np.uint8))
