"""The lower bound of coherence: the reference stretched over the mask's box and pasted, surroundings and all."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from spin_bench.core.case import Case
from spin_bench.methods.method import Method
from spin_bench.methods.painter import Painter
from spin_bench.models.stack import Stack

VERSION = "1"


@dataclass(frozen=True)
class CopyPasteSettings:
    """The reference as a rectangle, or its object alone."""

    segmented: bool = False  # the object alone, if the reference has a mask, as in TF-ICON's own composites


def copy_paste(settings: CopyPasteSettings, stack: Stack) -> Painter:
    """Build a painter without a model; every seed gives the same picture."""

    def paint(case: Case, seeds: Sequence[int]) -> list[Image.Image]:
        left, top, right, bottom = case.box
        size = (right - left, bottom - top)
        layer = Image.new("RGB", case.background.size)
        layer.paste(case.reference.resize(size, Image.Resampling.LANCZOS), (left, top))
        cover = case.mask
        if settings.segmented and case.reference_mask is not None:
            cover = Image.new("L", case.mask.size)
            cover.paste(case.reference_mask.resize(size, Image.Resampling.LANCZOS), (left, top))
        painted = Image.composite(layer, case.background, cover)
        return [painted.copy() for _ in seeds]

    return paint


METHOD = Method(
    "copy-paste",
    CopyPasteSettings,
    copy_paste,
    VERSION,
    uses=(),
    colour="#999999",
    bound=True,
    seeded=False,
)
