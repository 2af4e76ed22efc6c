"""Coherence that is seen through CLIP: how well the painted region belongs to its scene.

In the formulas G is the painted picture, S the untouched background, M the mask, E and T CLIP's two encoders with
features of unit length. What needs no more than a `ClipModel` works on every stack; `coherence_seam`, and
`coherence_style_seam` with it, also need a CLIP that shows its spatial features, and are missing (NaN) without.
"""

from functools import partial

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from spin_bench.core.case import Case
from spin_bench.diffusion.latents import mask_to_tensor, to_tensor
from spin_bench.metrics.batch import Batch, PatchClip, context_box, scene, square_crop, stretched_reference
from spin_bench.metrics.coherence_pixels import mean_across
from spin_bench.metrics.faults import SEAMS, SEAMS_AND_STYLES, STYLES
from spin_bench.metrics.metric import BOX, CROPPED, OF_CROP, by_clip, by_words
from spin_bench.models.stack import ClipModel

TEMPERATURE = 100.0  # what CLIP multiplies its cosines with
STYLE_WORDS = (  # plain words, and TF-ICON's own, for each of its four domains
    ("a photo of {}", "a professional photograph of {}, ultra realistic"),
    ("a cartoon of {}", "a cartoon animation of {}"),
    ("a painting of {}", "an oil painting of {}, Van Gogh Style"),
    ("a drawing of {}", "a pencil drawing of {}"),
)
THINGS = ("a cat", "a dog", "a car", "a tree", "a house", "a bird", "an apple", "a boat", "a cup", "a flower")
GOOD = ("a natural seamless photo", "a harmonious picture", "a picture painted in one piece")
BAD = ("a badly pasted collage", "a picture with a pasted patch", "a picture of two pieces that do not match")

_OF_CONTEXT = {
    "crop": "box of the mask enlarged 1.5 times inside the picture, padded to a square with mid-grey",
    "resize": CROPPED,
}
_by_clip = partial(by_clip, claims=SEAMS_AND_STYLES)
_by_words = partial(by_words, claims=SEAMS_AND_STYLES)


@_by_clip(title="scene agreement", compares="painted picture and background, whole")
def coherence_scene(batch: Batch) -> Tensor:
    """K1: E(G)·E(S) of the whole pictures."""
    return (batch.clip_images * batch.clip_of(scene)).sum(1)


@_by_clip(
    **OF_CROP,
    title="in-out agreement",
    compares="painted crop with the background, the mask filled with the mean colour of the rest",
)
def coherence_in_out(batch: Batch) -> Tensor:
    """K2: E(the mask's crop of G)·E(S with M filled by the mean colour of the rest)."""

    def surround(case: Case) -> Tensor:
        whole, keep = scene(case), 1 - mask_to_tensor(case.mask)
        mean = (whole * keep).sum((2, 3), keepdim=True) / keep.sum().clamp(min=1)
        return whole * keep + mean * (1 - keep)

    return (batch.clip_crops * batch.clip_of(surround)).sum(1)


@_by_clip(**_OF_CONTEXT, title="context agreement", compares="painted picture with its background")
def coherence_context(batch: Batch) -> Tensor:
    """K3 without its baseline: agreement of the context crops of G and S."""
    return (batch.clip_contexts * batch.clip_of(scene_context)).sum(1)


@_by_clip(
    **_OF_CONTEXT,
    title="context gain",
    compares="painted picture with its background, less the same of the stretched reference pasted",
)
def coherence_gain(batch: Batch) -> Tensor:
    """K3: agreement of the context crops of G and S, less that of a collage of the stretched reference."""

    def collage(case: Case) -> Tensor:
        pasted = Image.composite(stretched_reference(case), case.background, case.mask)
        return square_crop(to_tensor(pasted), context_box(case.box, case.mask.width))

    return ((batch.clip_contexts - batch.clip_of(collage)) * batch.clip_of(scene_context)).sum(1)


@_by_clip(
    title="seam",
    compares="neighbouring patches across the mask's border, less the same in the background",
    mask="a patch is inside where half of it is",
    missing="where no border is left on the grid of patches",
    claims=SEAMS,
)
def coherence_seam(batch: Batch) -> Tensor:
    """K4: mean cosine of neighbouring patches across the mask's border in G, less that of the same pairs in S.

    0 where the border is as smooth as the scene was there; negative cosines count as 0. A patch is inside where half
    of it is. NaN if no border is left on the patches' grid, or where the stack's CLIP shows no patches.
    """
    clip: ClipModel | PatchClip = batch.stack.clip
    painted = batch.clip_patches
    if painted is None or not isinstance(clip, PatchClip):
        return torch.full((len(batch.images),), torch.nan)
    untouched = batch.once("patches of scene", scene, clip.encode_patches)
    high, wide = painted.shape[-2:]
    inside = (F.adaptive_avg_pool2d(batch.masks, (high, wide)) >= 0.5).float().to(painted.device)
    return _across(painted, inside) - _across(untouched, inside)


@_by_words(
    **_OF_CONTEXT,
    title="antonyms",
    range=(0.0, 1.0),
    compares="painted picture with three texts of seamless pictures, as a share of them and three of collages",
    source="Wang et al. 2023 (CLIP-IQA), the words ours",
)
def coherence_antonyms(batch: Batch) -> Tensor:
    """K5: share of seamless words against words of a collage for the context crop of G, as CLIP-IQA asks for quality.

    Wang et al., "Exploring CLIP for Assessing the Look and Feel of Images", AAAI 2023; the words are ours.
    """
    good, bad = (F.normalize(batch.shared.texts(list(words)).mean(0), dim=0) for words in (GOOD, BAD))
    return torch.sigmoid(TEMPERATURE * batch.clip_contexts @ (good - bad))


@_by_words(
    **OF_CROP,
    title="style agreement",
    compares="painted crop with the background's, along the words of four styles",
    claims=STYLES,
)
def coherence_style(batch: Batch) -> Tensor:
    """K6: cosine of the style coordinates of the mask's crop in G and in S.

    Coordinates are cosines with the words of each style, less those of the mean of all styles: what is left when the
    styles' common content is taken away. The formula is ours.
    """
    styles = _styles(batch)
    axes = styles - styles.mean(0)
    return F.cosine_similarity(batch.clip_crops @ axes.T, batch.clip_of(scene_crop) @ axes.T)


@_by_words(
    title="direction",
    compares="change from background to painted picture with that from a style to the prompt",
    missing="where nothing changed",
    source="Gal et al. 2022 (StyleGAN-NADA), the source text ours",
    claims=STYLES,
)
def coherence_directional(batch: Batch) -> Tensor:
    """K7: cosine of the change from S to G and of that from a style to the prompt; NaN if nothing changed.

    Gal et al., "StyleGAN-NADA", SIGGRAPH 2022, whose source text TF-ICON does not have.
    """
    styles = _styles(batch)
    source = styles[(batch.clip_prompts @ styles.T).argmax(1)]
    change = batch.clip_images - batch.clip_of(scene)
    cosine = F.cosine_similarity(change, batch.clip_prompts - source)
    return cosine.masked_fill(change.norm(dim=1) < 1e-6, torch.nan)


@_by_clip(
    **_OF_CONTEXT,
    title="frame consistency",
    range=(0.0, 1.0),
    compares="painted picture with its background, mean over the whole and a crop, negatives as 0",
    source="Huang et al. 2024 (VBench, background consistency)",
)
def coherence_frame(batch: Batch) -> Tensor:
    """K8: mean agreement of G and S over the context crop and the whole picture, negatives as 0.

    VBench's background consistency (Huang et al., CVPR 2024), with S as the frame that G follows.
    """
    return (coherence_context(batch).clamp(min=0) + coherence_scene(batch).clamp(min=0)) / 2


@_by_words(
    title="coherence",
    compares="mean of coherence_style and coherence_seam",
    crop=f"of the first: {BOX}",
    resize=CROPPED,
    mask="of the second: a patch is inside where half of it is",
    missing="where no border is left on the grid of patches",
)
def coherence_style_seam(batch: Batch) -> Tensor:
    """Mean of `coherence_style` and `coherence_seam`: what either of them alone does not see."""
    return (coherence_style(batch) + coherence_seam(batch)) / 2


def scene_crop(case: Case) -> Tensor:
    """Cut the mask's box out of the untouched background: (1, 3, CROP_SIDE, CROP_SIDE)."""
    return square_crop(scene(case), case.box)


def scene_context(case: Case) -> Tensor:
    """Cut the enlarged box out of the untouched background: (1, 3, CROP_SIDE, CROP_SIDE)."""
    return square_crop(scene(case), context_box(case.box, case.mask.width))


def _styles(batch: Batch) -> Tensor:
    """One feature a style, the mean over its words and all THINGS; (styles, width) of unit length."""
    words = [template.format(thing) for templates in STYLE_WORDS for template in templates for thing in THINGS]
    return F.normalize(batch.shared.texts(words).unflatten(0, (len(STYLE_WORDS), -1)).mean(1), dim=1)


def _across(features: Tensor, inside: Tensor) -> Tensor:
    """Mean cosine of the neighbours in (n, c, h, w) of which `inside` (n, 1, h, w) holds one; NaN without any."""
    features = F.normalize(features, dim=1)

    def cosine(dim: int) -> Tensor:
        length = features.shape[dim] - 1
        return (features.narrow(dim, 1, length) * features.narrow(dim, 0, length)).sum(1, keepdim=True).clamp(min=0)

    return mean_across(inside, cosine)
