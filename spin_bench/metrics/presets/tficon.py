"""The TF-ICON benchmark, after its authors' replies in Shilin-LU/TF-ICON issues 20, 27 and 31; they released no code.

They do not say how a crop is resized (ours: bicubic, antialiased), which size of CLIP they used, nor whether CLIP-T
sees the whole picture (ours: it does). The published table averages over the photorealistic domain only.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from spin_bench.core.case import Case
from spin_bench.diffusion.latents import to_tensor
from spin_bench.metrics.batch import Batch
from spin_bench.metrics.case_features import encoded
from spin_bench.metrics.metric import by_clip, by_lpips, by_words
from spin_bench.metrics.preservation import BACKGROUND, FULL_MASK, or_nan

_REPLIES = "authors' replies in Shilin-LU/TF-ICON issues 20, 27 and 31"
_PAIR = "painted crop with the raw reference"
_PRESET = {
    "preset": "tficon",
    "aggregation": "the source averages over the photorealistic domain only; "
    "here the mean over a case's images, then over cases",
}
_AGAINST_REFERENCE = {
    **_PRESET,
    "crop": "tight box of the mask",
    "resize": "crop squashed to the reference's size (bicubic, antialiased: ours, they do not say)",
    "fault": "the crop is squashed to the reference's shape, and the reference's own background counts",
}
_HUNDRED = (-100.0, 100.0)


def _reference(case: Case) -> Tensor:
    return to_tensor(case.reference)


def _crop(case: Case, image: Tensor) -> Tensor:
    """The mask's box of a painted picture, squashed to the size of its reference: (1, 3, h, w)."""
    left, top, right, bottom = case.box
    cut, size = image[None, :, top:bottom, left:right], case.reference.size[::-1]
    return F.interpolate(cut, size, mode="bicubic", antialias=True).clamp(-1, 1)


@by_lpips(
    **_PRESET,
    title="LPIPS-BG",
    compares=BACKGROUND,
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
    return or_nan(batch.stack.perceptual(painted, background).cpu(), keep)


@by_lpips(**_AGAINST_REFERENCE, title="LPIPS-FG", compares=_PAIR, source=f"{_REPLIES} (with LPIPS-VGG)")
def lpips_fg(batch: Batch) -> Tensor:
    """Perceptual distance of the crop and the raw reference, at the reference's size."""
    pairs = batch.cut(lambda case, image: torch.cat([_crop(case, image), _reference(case)], 1))
    return encoded(pairs, lambda both: batch.stack.perceptual(*both.chunk(2, dim=1)))


@by_clip(
    **_AGAINST_REFERENCE,
    title="CLIP-I",
    range=_HUNDRED,
    digits=2,
    compares=f"{_PAIR}, 100 times the cosine",
    source=f"{_REPLIES} (the size of CLIP is not remembered)",
)
def clip_i(batch: Batch) -> Tensor:
    """100 times the cosine of CLIP features of the same two pictures."""
    encode = batch.stack.clip.encode_image
    return 100 * (encoded(batch.cut(_crop), encode) * batch.clip_of(_reference)).sum(1)


@by_words(
    **_PRESET,
    title="CLIP-T",
    range=_HUNDRED,
    digits=2,
    compares="whole painted picture (our reading) with the prompt, 100 times the cosine",
    source="Shilin-LU/TF-ICON, README, which names it without a definition",
)
def clip_t(batch: Batch) -> Tensor:
    """100 times the cosine of CLIP features of the whole painted picture and the prompt."""
    return 100 * (batch.clip_images * batch.clip_prompts).sum(1)
