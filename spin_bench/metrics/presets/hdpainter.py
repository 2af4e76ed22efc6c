"""HD-Painter's CLIP score, after `metrics/clipscore.py` and `metrics/utils.py` of Picsart-AI-Research/HD-Painter.

Left out: the detector's hit rate, the aesthetic score and PickScore, whose models no stack carries.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from spin_bench.core.case import Case
from spin_bench.metrics.batch import Batch
from spin_bench.metrics.presets.clip_score import by_clip_score, clip_score


def crop(case: Case, image: Tensor, side: int) -> Tensor:
    """Cut the mask's box out of (3, H, W) in [-1, 1] and pad it to a square with black: (1, 3, side, side).

    OpenCV's cubic resize: no antialias, rounded to 8 bits.
    """
    left, top, right, bottom = case.box
    wide, high = right - left, bottom - top
    spare = abs(wide - high)
    start, end = spare // 2, spare - spare // 2
    padding = (start, end, 0, 0) if high > wide else (0, 0, start, end)
    levels = F.pad((image[None, :, top:bottom, left:right] + 1) * 127.5, padding)
    return F.interpolate(levels, (side, side), mode="bicubic", align_corners=False).round().clamp(0, 255) / 127.5 - 1


@by_clip_score(
    preset="hdpainter",
    title="CLIP-T crop",
    compares="painted crop with the prompt, 100 max(0, cosine)",
    crop="tight box of the mask, padded to a square with black",
    resize="OpenCV cubic without antialias to the encoder's side, rounded to 8 bits",
    source="Picsart-AI-Research/HD-Painter, metrics/clipscore.py (with CLIP ViT-B/16)",
    fault="black bars beside a crop that is not square are part of what CLIP sees",
)
def clip_t_crop(batch: Batch) -> Tensor:
    """CLIPScore of that crop and the prompt."""
    side = batch.stack.clip.side
    crops = torch.cat(batch.cut(lambda case, image: crop(case, image, side)))
    return clip_score(batch, batch.stack.clip.encode_image(crops))
