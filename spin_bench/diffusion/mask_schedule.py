"""Progressive mask shrinking (Blended Latent Diffusion): thin masks start wide, so that something can grow."""

import torch.nn.functional as F
from torch import Tensor


def shrinking_masks(mask: Tensor, dilations: int) -> list[Tensor]:
    """Dilate `mask` (1, 1, h, w) by `dilations` squares of side 3 + 2i; the widest comes first, `mask` itself last."""
    sides = [3 + 2 * i for i in reversed(range(dilations))]
    return [*(F.max_pool2d(mask, side, stride=1, padding=side // 2) for side in sides), mask]


def mask_at(masks: list[Tensor], index: int, steps: int) -> Tensor:
    """Return the mask of step `index`: equal shares of `steps`, in the authors' rounding, the exact mask last."""
    return masks[index // (steps // len(masks) + 1)]
