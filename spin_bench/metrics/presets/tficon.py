"""The TF-ICON benchmark, after its authors' replies in Shilin-LU/TF-ICON issues 20, 27 and 31; they released no code.

They do not say how a crop is resized (ours: bicubic, antialiased), which size of CLIP they used, nor whether CLIP-T
sees the whole picture (ours: it does). The published table averages over the photorealistic domain only.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from spin_bench.diffusion.latents import to_tensor
from spin_bench.metrics.batch import Batch
from spin_bench.metrics.case_features import encoded
from spin_bench.metrics.metric import by_clip, by_lpips, by_words
from spin_bench.metrics.preservation import FULL_MASK

_REPLIES = "authors' replies in Shilin-LU/TF-ICON issues 20, 27 and 31"
_PAIR = "painted crop with the raw reference"
_CROP = "tight box of the mask"
_RESIZE = "crop squashed to the reference's size (bicubic, antialiased: ours, they do not say)"
_MEAN = "the source averages over the photorealistic domain only; here the mean over a case's images, then over cases"
_HUNDRED = (-100.0, 100.0)


def _crops(batch: Batch) -> list[Tensor]:
    """The mask's box of every painted picture, squashed to the size of its reference: (1, 3, h, w) each."""
    crops = []
    for case, image in zip(batch.cases, batch.images, strict=True):
        left, top, right, bottom = case.box
        cut, size = image[None, :, top:bottom, left:right], case.reference.size[::-1]
        crops.append(F.interpolate(cut, size, mode="bicubic", antialias=True).clamp(-1, 1))
    return crops


@by_lpips(
    preset="tficon",
    aggregation=_MEAN,
    title="LPIPS-BG",
    compares="painted picture with its background",
    resize="none",
    mask="masked pixels black in both",
    missing=FULL_MASK,
    source=f"{_REPLIES} (with LPIPS-VGG)",
    fault="a mean over the whole frame, the black part included, and the mask's edge is black against the scene",
)
def lpips_bg(batch: Batch) -> Tensor:
    """Perceptual distance of painted picture and background, the masked pixels black in both; NaN if all are."""
    keep = 1 - batch.masks
    painted, background = ((images + 1) * keep - 1 for images in (batch.images, batch.backgrounds))
    distance = batch.stack.perceptual(painted, background).cpu()
    return distance.masked_fill(keep.flatten(1).amax(1) == 0, float("nan"))


@by_lpips(
    preset="tficon",
    aggregation=_MEAN,
    title="LPIPS-FG",
    compares=_PAIR,
    crop=_CROP,
    resize=_RESIZE,
    source=f"{_REPLIES} (with LPIPS-VGG)",
    fault="the crop is squashed to the reference's shape, and the reference's own background counts",
)
def lpips_fg(batch: Batch) -> Tensor:
    """Perceptual distance of the crop and the raw reference, at the reference's size."""
    pairs = [torch.cat([crop, to_tensor(c.reference)], 1) for crop, c in zip(_crops(batch), batch.cases, strict=True)]
    return encoded(pairs, lambda both: batch.stack.perceptual(*both.chunk(2, dim=1)))


@by_clip(
    preset="tficon",
    aggregation=_MEAN,
    title="CLIP-I",
    range=_HUNDRED,
    digits=2,
    compares=f"{_PAIR}, 100 times the cosine",
    crop=_CROP,
    resize=_RESIZE,
    source=f"{_REPLIES} (the size of CLIP is not remembered)",
    fault="the crop is squashed to the reference's shape, and the reference's own background counts",
)
def clip_i(batch: Batch) -> Tensor:
    """100 times the cosine of CLIP features of the same two pictures."""
    encode = batch.stack.clip.encode_image
    references = batch.once("clip@tficon", lambda case: to_tensor(case.reference), encode)
    return 100 * (encoded(_crops(batch), encode) * references).sum(1)


@by_words(
    preset="tficon",
    aggregation=_MEAN,
    title="CLIP-T",
    range=_HUNDRED,
    digits=2,
    compares="whole painted picture (our reading) with the prompt, 100 times the cosine",
    source="Shilin-LU/TF-ICON, README, which names it without a definition",
)
def clip_t(batch: Batch) -> Tensor:
    """100 times the cosine of CLIP features of the whole painted picture and the prompt."""
    return 100 * (batch.clip_images * batch.clip_prompts).sum(1)
