"""Noise that belongs to an image, not to a batch."""

from collections.abc import Sequence

import torch
from torch import Tensor


class NoiseSource:
    """One CPU generator per image, so that image k is the same in any batch and on any device."""

    def __init__(self, seeds: Sequence[int], device: torch.device, dtype: torch.dtype):
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self.device, self.dtype = device, dtype

    def normal(self, *shape: int) -> Tensor:
        """Draw the next N(0, 1) of every image: (images, *shape)."""
        drawn = [torch.randn(shape, generator=generator) for generator in self.generators]
        return torch.stack(drawn).to(self.device, self.dtype)
