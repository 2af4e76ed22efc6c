"""Painted pictures beside their cases as tensors; every feature is computed once, however many metrics read it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from spin_bench.case import Case
from spin_bench.diffusion.latents import mask_to_tensor, to_tensor
from spin_bench.errors import UserError
from spin_bench.stack import Stack

CROP_SIDE = 128  # px; crops of any size meet here before an encoder sees them
CONTEXT = 1.5  # the context crop's side over the mask's box
EIGHT_BIT = ("RGB", "RGBA", "L", "LA", "P", "1")  # picture modes whose white is known


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
    """The reference's object on grey, cut to its mask; the whole photo where there is no mask. (1, 3, s, s)."""
    image = to_tensor(case.reference)
    box = case.reference_mask.getbbox() if case.reference_mask else None
    if case.reference_mask is None or box is None:
        return square_crop(image, (0, 0, *case.reference.size))
    return square_crop(image * mask_to_tensor(case.reference_mask), box)


def reference_photo(case: Case) -> Tensor:
    """The whole reference, padded to a square, with whatever surrounds its object; (1, 3, s, s)."""
    return square_crop(to_tensor(case.reference), (0, 0, *case.reference.size))


def check_sizes(case: Case, painted: Image.Image) -> None:
    """Raises `UserError` where picture, mask and background of a case do not lie on each other."""
    wide, high = case.background.size
    for what, found in (("picture", painted), ("mask", case.mask)):
        if found.size != (wide, high):
            size = f"{found.width}x{found.height} px"
            raise UserError(f"case {case.id}: its {what} is {size}, its background {wide}x{high} px: give it that size")
    if painted.mode not in EIGHT_BIT:
        raise UserError(f"case {case.id}: a picture of mode {painted.mode} has no fixed white: save it as 8-bit RGB")


def context_box(box: tuple[int, int, int, int], side: int) -> tuple[int, int, int, int]:
    """`box` enlarged CONTEXT times around its centre, inside a canvas of `side` px."""
    left, top, right, bottom = box
    grow_x, grow_y = (round((CONTEXT - 1) / 2 * length) for length in (right - left, bottom - top))
    return max(0, left - grow_x), max(0, top - grow_y), min(side, right + grow_x), min(side, bottom + grow_y)


@dataclass(frozen=True, eq=False)
class Batch:
    """`images[i]` was painted for `cases[i]`; pictures are (n, 3, H, W) float32 in [-1, 1], masks 1 where painted."""

    cases: Sequence[Case]
    painted: Sequence[Image.Image]
    stack: Stack

    def __post_init__(self) -> None:
        for case, painted in zip(self.cases, self.painted, strict=True):
            check_sizes(case, painted)

    @cached_property
    def images(self) -> Tensor:
        return torch.cat([to_tensor(picture) for picture in self.painted])

    @cached_property
    def backgrounds(self) -> Tensor:
        return torch.cat([to_tensor(case.background) for case in self.cases])

    @cached_property
    def masks(self) -> Tensor:
        return torch.cat([mask_to_tensor(case.mask) for case in self.cases])

    @cached_property
    def references(self) -> Tensor:
        """`reference_object` of every case, (n, 3, CROP_SIDE, CROP_SIDE)."""
        return self.once(reference_object, lambda pictures: pictures)

    @cached_property
    def crops(self) -> Tensor:
        """The mask's tight box of every painted picture, (n, 3, CROP_SIDE, CROP_SIDE)."""
        return self._cut([to_tensor(picture) for picture in self.painted])

    @cached_property
    def clip_crops(self) -> Tensor:
        return self.stack.clip.encode_image(self.crops)

    @cached_property
    def clip_references(self) -> Tensor:
        return self.once(reference_object, self.stack.clip.encode_image)

    @cached_property
    def clip_photos(self) -> Tensor:
        return self.once(reference_photo, self.stack.clip.encode_image)

    @cached_property
    def clip_images(self) -> Tensor:
        return self.stack.clip.encode_image(self.images)

    @cached_property
    def clip_prompts(self) -> Tensor:
        prompts = [case.prompt for case in self.cases]
        known = list(dict.fromkeys(prompts))
        return self.stack.clip.encode_text(known)[[known.index(prompt) for prompt in prompts]]

    @cached_property
    def clip_truths(self) -> Tensor:
        """Of the true composite's crop; NaN where the benchmark does not know it."""

        def crop(case: Case) -> Tensor:
            truth = (
                torch.full((1, 3, *case.mask.size[::-1]), torch.nan) if case.truth is None else to_tensor(case.truth)
            )
            return square_crop(truth, case.box)

        return self.once(crop, self.stack.clip.encode_image)

    @cached_property
    def clip_contexts(self) -> tuple[Tensor, Tensor]:
        """Of the enlarged box in the painted picture and in the untouched background."""
        boxes = [context_box(case.box, case.mask.width) for case in self.cases]
        cut = [square_crop(to_tensor(p), box) for p, box in zip(self.painted, boxes, strict=True)]
        encode = self.stack.clip.encode_image
        untouched = self.once(
            lambda case: square_crop(to_tensor(case.background), context_box(case.box, case.mask.width)),
            encode,
        )
        return encode(torch.cat(cut)), untouched

    @cached_property
    def judge_crops(self) -> Tensor:
        return self.stack.judge(self.crops)

    @cached_property
    def judge_references(self) -> Tensor:
        return self.once(reference_object, self.stack.judge)

    def _cut(self, pictures: list[Tensor]) -> Tensor:
        boxes = [case.box for case in self.cases]
        return torch.cat([square_crop(picture, box) for picture, box in zip(pictures, boxes, strict=True)])

    def once(self, picture_of: Callable[[Case], Tensor], encode: Callable[[Tensor], Tensor]) -> Tensor:
        """Encode one picture a case and repeat its features for each of the case's images."""
        distinct = list({case.id: case for case in self.cases}.values())
        features = encode(torch.cat([picture_of(case) for case in distinct]))
        position = {case.id: index for index, case in enumerate(distinct)}
        return features[[position[case.id] for case in self.cases]]
