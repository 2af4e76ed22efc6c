"""Distances of two sets of pictures, as functions of their features (n, width).

A few hundred pictures are the rule here, so the kernel distances come first: their unbiased form has no bias at any
size. Frechet distance is refused below `spin_bench.metrics.sets.FID_IMAGES`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torchmetrics.image.fid import _compute_fid
from torchmetrics.image.kid import maximum_mean_discrepancy, poly_mmd

from spin_bench.core.errors import UserError

CMMD_BANDWIDTH = 10.0
CMMD_SCALE = 1000.0
SUBSETS = 100
SUBSET_SIZE = 1000  # at most


@dataclass(frozen=True)
class SetScore:
    """A mean over random subsets, and the range of the middle 95 % of them.

    The range is that of one subset of `size` pictures a set, so it is wider than the uncertainty of the mean.
    """

    mean: float
    lo: float
    hi: float
    size: int


def rbf_kernel(a: Tensor, b: Tensor, bandwidth: float) -> Tensor:
    """exp(-|a - b|^2 / (2 bandwidth^2)) of every two rows."""
    return torch.exp(-torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist").square() / (2 * bandwidth**2))


def kid(a: Tensor, b: Tensor) -> Tensor:
    """Unbiased squared MMD of the kernel (a.b / width + 1)^3 (Binkowski et al. 2018); two sets of equal size."""
    a, b = _checked(a, b)
    return poly_mmd(a, b)


def kid_of_unit(a: Tensor, b: Tensor) -> Tensor:
    """`kid` of features of unit length, (N, width) each, scaled by the root of their width.

    The kernel divides products by the width; as they are, its constant would drown them.
    """
    scale = a.shape[1] ** 0.5
    return kid(a * scale, b * scale)


def clip_mmd(a: Tensor, b: Tensor) -> Tensor:
    """1000 times the unbiased squared MMD of an RBF kernel of bandwidth 10, on CLIP features; sets of equal size.

    CMMD (Jayasumana et al. 2024) without its bias, which is of the size of the value itself at a few hundred pictures.
    """
    a, b = _checked(a, b)
    kernels = [rbf_kernel(*pair, CMMD_BANDWIDTH) for pair in ((a, a), (a, b), (b, b))]
    return CMMD_SCALE * maximum_mean_discrepancy(*kernels)


def frechet(a: Tensor, b: Tensor) -> Tensor:
    """Frechet distance of two Gaussians fitted to the rows (Heusel et al. 2017), by torchmetrics."""
    a, b = _checked(a, b, equal=False)
    return _compute_fid(a.mean(0), a.T.cov(), b.mean(0), b.T.cov())


def over_subsets(
    a: Tensor,
    b: Tensor,
    distance: Callable[[Tensor, Tensor], Tensor],
    *,
    subsets: int = SUBSETS,
    size: int | None = None,
    seed: int = 0,
) -> SetScore:
    """Average `distance` over random subsets of `size` rows of each set, drawn without replacement.

    `size` is by default half of the smaller set, at most SUBSET_SIZE: subsets of nearly a whole set hardly differ.
    """
    a, b = _checked(a, b, equal=False)
    smaller = min(len(a), len(b))
    size = min(SUBSET_SIZE, smaller // 2) if size is None else size
    if not 2 <= size <= smaller:
        raise UserError(f"subsets of {size} from sets of {len(a)} and {len(b)} pictures: take 2 to {smaller}")
    draw = torch.Generator().manual_seed(seed)

    def rows(of: Tensor) -> Tensor:
        return of[torch.randperm(len(of), generator=draw)[:size]]

    values = torch.stack([distance(rows(a), rows(b)) for _ in range(subsets)])
    lo, hi = torch.quantile(values, torch.tensor([0.025, 0.975], dtype=values.dtype)).tolist()
    return SetScore(values.mean().item(), lo, hi, size)


def _checked(a: Tensor, b: Tensor, *, equal: bool = True) -> tuple[Tensor, Tensor]:
    """Both sets in float64 on the CPU; `UserError` if they cannot be compared."""
    for features in (a, b):
        if features.ndim != 2 or not torch.isfinite(features).all():
            raise UserError(f"features of shape {tuple(features.shape)}: give finite rows (n, width), one a picture")
    if a.shape[1] != b.shape[1]:
        raise UserError(f"features of widths {a.shape[1]} and {b.shape[1]}: encode both sets with one network")
    if equal and len(a) != len(b):
        raise UserError(f"sets of {len(a)} and {len(b)} pictures: compare equally many, see over_subsets")
    return a.double().cpu(), b.double().cpu()
