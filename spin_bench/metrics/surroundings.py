"""What Spin's ablations claim beside similarity and coherence: the reference's surroundings stay out."""

import torch
from torch import Tensor

from spin_bench.core.case import Case
from spin_bench.diffusion.latents import mask_to_tensor, to_tensor
from spin_bench.metrics.batch import Batch, square_crop
from spin_bench.metrics.faults import PASTES
from spin_bench.metrics.metric import OF_CROP, by_clip


def surroundings(case: Case) -> Tensor:
    """Grey the object out of the whole reference: (1, 3, s, s); NaN if no mask says which part that is."""
    image = to_tensor(case.reference)
    keep = torch.full_like(image[:, :1], torch.nan)
    if case.reference_mask is not None:
        keep = 1 - mask_to_tensor(case.reference_mask)
    return square_crop(image * keep, (0, 0, *case.reference.size))


@by_clip(
    **OF_CROP,
    title="CLIP-I surroundings",
    higher_is_better=False,
    compares="painted crop with what surrounds the reference's object",
    mask="reference on mid-grey inside its own mask",
    missing="where the reference has no mask",
    claims=PASTES,
)
def clip_i_surroundings(batch: Batch) -> Tensor:
    """Cosine of CLIP features: the mask's box of the painted picture, and what surrounds the reference's object."""
    return (batch.clip_crops * batch.clip_of(surroundings)).sum(1)
