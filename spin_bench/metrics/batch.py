"""Painted pictures beside their cases as tensors; every feature is computed once, however many metrics read it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from spin_bench.core.case import Case
from spin_bench.core.errors import UserError
from spin_bench.diffusion.latents import mask_to_tensor, to_tensor
from spin_bench.metrics.case_features import CaseFeatures
from spin_bench.metrics.extra_encoders import Encoders
from spin_bench.models.stack import ClipModel, Stack

CROP_SIDE = 128  # px; crops of any size meet here before an encoder sees them
CONTEXT = 1.5  # the context crop's side over the mask's box
EIGHT_BIT = ("RGB", "RGBA", "L", "LA", "P", "1")  # picture modes whose white is known


@runtime_checkable
class PatchClip(Protocol):
    """A CLIP that shows spatial features: a ViT's patch tokens, a ResNet's map, of the first quarter of its depth."""

    def encode_patches(self, images: Tensor) -> Tensor:
        """Map pictures (N, 3, H, W) in [-1, 1] to features (N, C, h, w) float32."""

    def encode_with_patches(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Map the same pictures to what `encode_image` and `encode_patches` return."""


def square_crop(image: Tensor, box: tuple[int, int, int, int]) -> Tensor:
    """Cut `box` (left, top, right, bottom) from (1, 3, H, W), pad to a square with mid-grey, resize to CROP_SIDE."""
    left, top, right, bottom = box
    cut = image[..., top:bottom, left:right]
    height, width = cut.shape[-2:]
    spare = max(height, width)
    above, before = (spare - height) // 2, (spare - width) // 2
    padded = F.pad(cut, (before, spare - width - before, above, spare - height - above))
    return F.interpolate(padded, (CROP_SIDE, CROP_SIDE), mode="bicubic", antialias=True).clamp(-1, 1)


def reference_object(case: Case) -> Tensor:
    """Cut the reference's object out on mid-grey, the whole photo if it has no mask: (1, 3, CROP_SIDE, CROP_SIDE)."""
    box = case.reference_mask.getbbox() if case.reference_mask else None
    if case.reference_mask is None or box is None:
        return reference_photo(case)
    return square_crop(to_tensor(case.reference) * mask_to_tensor(case.reference_mask), box)


def reference_photo(case: Case) -> Tensor:
    """Pad the whole reference to a square, surroundings and all: (1, 3, CROP_SIDE, CROP_SIDE)."""
    return square_crop(to_tensor(case.reference), (0, 0, *case.reference.size))


def stretched_reference(case: Case) -> Image.Image:
    """Stretch the reference, surroundings and all, over the mask's box of the background."""
    left, top, right, bottom = case.box
    layer = case.background.copy()
    layer.paste(case.reference.resize((right - left, bottom - top), Image.Resampling.LANCZOS), (left, top))
    return layer


def scene(case: Case) -> Tensor:
    """Return the whole untouched background: (1, 3, H, W)."""
    return to_tensor(case.background)


def check_sizes(case: Case, painted: Image.Image) -> None:
    """Raise `UserError` if picture, mask and background of a case do not lie on each other."""
    wide, high = case.background.size
    for what, image in (("picture", painted), ("mask", case.mask)):
        if image.size != (wide, high):
            size = f"{image.width}x{image.height} px"
            raise UserError(f"case {case.id}: its {what} is {size}, its background {wide}x{high} px: give it that size")
    if painted.mode not in EIGHT_BIT:
        raise UserError(f"case {case.id}: a picture of mode {painted.mode} has no fixed white: save it as 8-bit RGB")


def context_box(box: tuple[int, int, int, int], side: int) -> tuple[int, int, int, int]:
    """Enlarge `box` CONTEXT times around its centre, inside a canvas of `side` px."""
    left, top, right, bottom = box
    grow_x, grow_y = (round((CONTEXT - 1) / 2 * length) for length in (right - left, bottom - top))
    return max(0, left - grow_x), max(0, top - grow_y), min(side, right + grow_x), min(side, bottom + grow_y)


@dataclass(frozen=True, eq=False)
class Batch:
    """`images[i]` was painted for `cases[i]`; pictures are (n, 3, H, W) float32 in [-1, 1], masks 1 where painted.

    `about` holds what batches over the same cases share; without it the batch makes its own.
    """

    cases: Sequence[Case]
    painted: Sequence[Image.Image]
    stack: Stack
    about: CaseFeatures | None = None

    def __post_init__(self) -> None:
        for case, painted in zip(self.cases, self.painted, strict=True):
            check_sizes(case, painted)

    @cached_property
    def shared(self) -> CaseFeatures:
        """What batches over the same cases share."""
        distinct = list({case.id: case for case in self.cases}.values())
        return self.about or CaseFeatures(distinct, self.stack, Encoders(self.stack.device))

    @property
    def encoders(self) -> Encoders:
        return self.shared.encoders

    @cached_property
    def images(self) -> Tensor:
        """The painted pictures."""
        return torch.cat([to_tensor(picture) for picture in self.painted])

    @cached_property
    def backgrounds(self) -> Tensor:
        return torch.cat([to_tensor(case.background) for case in self.cases])

    @cached_property
    def masks(self) -> Tensor:
        return torch.cat([mask_to_tensor(case.mask) for case in self.cases])

    @property
    def references(self) -> Tensor:
        """`reference_object` of every case, (n, 3, CROP_SIDE, CROP_SIDE)."""
        return self.once("reference object", reference_object, lambda pictures: pictures)

    @cached_property
    def crops(self) -> Tensor:
        """The mask's tight box of every painted picture, (n, 3, CROP_SIDE, CROP_SIDE)."""
        return torch.cat(self.cut(lambda case, image: square_crop(image[None], case.box)))

    @cached_property
    def clip_crops(self) -> Tensor:
        """CLIP features of `crops`, (n, width) of unit length, as all features below."""
        return self.stack.clip.encode_image(self.crops)

    @cached_property
    def clip_contexts(self) -> Tensor:
        """CLIP features of the enlarged box of every painted picture."""
        crops = self.cut(lambda case, image: square_crop(image[None], context_box(case.box, case.mask.width)))
        return self.stack.clip.encode_image(torch.cat(crops))

    @cached_property
    def clip_images(self) -> Tensor:
        """CLIP features of the whole painted pictures."""
        return self._whole[0]

    @cached_property
    def clip_patches(self) -> Tensor | None:
        """Spatial features of the whole painted picture, (n, C, h, w); None if the stack's CLIP shows none."""
        return self._whole[1]

    @cached_property
    def _whole(self) -> tuple[Tensor, Tensor | None]:
        clip: ClipModel | PatchClip = self.stack.clip
        if isinstance(clip, PatchClip):
            return clip.encode_with_patches(self.images)
        return clip.encode_image(self.images), None

    @cached_property
    def clip_prompts(self) -> Tensor:
        """CLIP features of the prompts."""
        return self.shared.texts([case.prompt for case in self.shared.cases])[self._rows]

    @cached_property
    def _rows(self) -> list[int]:
        position = {case.id: index for index, case in enumerate(self.shared.cases)}
        return [position[case.id] for case in self.cases]

    def cut(self, crop: Callable[[Case, Tensor], Tensor]) -> list[Tensor]:
        """Apply `crop` to each case and its painted picture (3, H, W)."""
        return [crop(case, image) for case, image in zip(self.cases, self.images, strict=True)]

    def once(self, kind: str, picture_of: Callable[[Case], Tensor], encode: Callable[[Tensor], Tensor]) -> Tensor:
        """Encode one picture a case and repeat its features for each of the case's images; `kind` names the pair."""
        return self.shared.of(kind, picture_of, encode)[self._rows]

    def clip_of(self, picture_of: Callable[[Case], Tensor]) -> Tensor:
        """CLIP features of one picture a case, kept by the name of the function that makes it."""
        kind = f"clip of {picture_of.__module__}.{picture_of.__qualname__}"
        return self.once(kind, picture_of, self.stack.clip.encode_image)
