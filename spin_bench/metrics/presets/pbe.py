"""Paint-by-Example's CLIP score, after `eval_tool/clip_score/` of Fantasy-Studio/Paint-by-Example.

Left out: its FID and its quality score, which are set-level statistics of CLIP features against COCO.
"""

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from spin_bench.core.case import Case
from spin_bench.diffusion.latents import to_tensor
from spin_bench.metrics.batch import Batch
from spin_bench.metrics.metric import by_clip


def first_to_last(mask: Image.Image) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom (exclusive) by the first and the last painted pixel in reading order.

    The last pixel's row and column are cut off. It is the box of the mask only if the mask is a box.
    """
    rows, columns = np.nonzero(np.asarray(mask) == 255)
    return int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])


def crop(case: Case, image: Tensor, side: int) -> Tensor:
    """Cut that region out of a picture (3, H, W) and squash it to (1, 3, side, side); NaN if it is empty."""
    left, top, right, bottom = first_to_last(case.mask)
    if right <= left or bottom <= top:
        return torch.full((1, 3, side, side), torch.nan)
    return F.interpolate(image[None, :, top:bottom, left:right], (side, side), mode="bilinear", align_corners=False)


@by_clip(
    preset="pbe",
    title="CLIP-I",
    range=(-100, 100),
    digits=2,
    compares="painted crop with the raw reference, 100 times the cosine",
    crop="from the first to the last mask pixel in reading order, the last row and column cut off",
    resize="both squashed to the encoder's side: the crop bilinear without antialias, the reference by PIL bicubic",
    missing="where that crop is empty",
    source="Fantasy-Studio/Paint-by-Example, eval_tool/clip_score (with CLIP ViT-B/32)",
    fault="the last row and column are lost, and of a mask that is no box a part only (none: missing) is seen",
)
def clip_i(batch: Batch) -> Tensor:
    """100 times the cosine of CLIP features of that crop and of the squashed reference photo."""
    clip = batch.stack.clip
    crops = torch.cat(batch.cut(lambda case, image: crop(case, image, clip.side)))

    def squashed(case: Case) -> Tensor:
        return to_tensor(case.reference.resize((clip.side, clip.side), Image.Resampling.BICUBIC))

    return 100 * (clip.encode_image(crops) * batch.clip_of(squashed)).sum(1)
