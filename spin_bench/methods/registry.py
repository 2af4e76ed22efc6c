"""The methods by name; one from outside registers through the entry-point group "spin_bench.methods"."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

from spin_bench.core.case import Case
from spin_bench.methods.baselines import blended_diffusion as blended
from spin_bench.methods.baselines import blended_latent_diffusion as bld
from spin_bench.methods.baselines import copy_paste as paste
from spin_bench.methods.baselines import oracle as truth
from spin_bench.methods.baselines import powerpaint as ppt
from spin_bench.methods.baselines import sd_inpaint as inpaint
from spin_bench.methods.baselines import uni_paint as uni
from spin_bench.methods.painter import Painter
from spin_bench.models.stack import Stack
from spin_bench.spin import painter as spin
from spin_bench.spin.references import PARTS
from spin_bench.store.artefacts import Artefacts


@dataclass(frozen=True)
class Method:
    """`build(settings, stack, artefacts)` returns the painter; `version` changes when the method's pictures do."""

    title: str  # in tables
    settings: type  # a frozen dataclass, its defaults are the method's
    build: Callable[[Any, Stack, Artefacts], Painter]
    version: str
    uses: tuple[str, ...] | None = None  # parts of the stack that its pictures depend on; None: all
    bounding: bool = False  # a bound, not a competitor
    seeded: bool = True  # False: every seed paints the same picture, so one is enough
    needs_truth: bool = False  # left out of a run over cases without a true composite
    prepare: Callable[[Any, Stack, Artefacts, Sequence[Case]], None] | None = None  # work that cases can share
    batch: Callable[[Any], int] | None = None  # images at once, of a method that has a say in it
    ranked_by: str = ""  # fact of an image, ascending, by which the method's authors choose among its images
    variant_of: str = ""  # the method whose results this one's are named like
    also_uses: Callable[[Any], tuple[str, ...]] | None = None  # parts that only some settings need

    def parts(self, settings: Any) -> tuple[str, ...] | None:
        """Parts of the stack that pictures under `settings` depend on; None: all."""
        if self.uses is None or self.also_uses is None:
            return self.uses
        return (*self.uses, *self.also_uses(settings))


_LATENT = ("vae", "unet", "text_encoder", "tokenizer", "scheduler")

BUILT_IN: dict[str, Method] = {
    "spin": Method(
        "Spin",
        spin.SpinSettings,
        spin.spin,
        spin.VERSION,
        uses=PARTS,
        also_uses=spin.also_uses,
        prepare=spin.prepare,
    ),
    "blended_diffusion": Method(
        "Blended",
        blended.BlendedDiffusionSettings,
        blended.blended_diffusion,
        blended.VERSION,
        uses=("pixel", "clip", "guide", "tokenizer", "perceptual"),
        batch=lambda settings: settings.batch,
        ranked_by=blended.DISTANCE,
    ),
    "blended_latent_diffusion": Method(
        "BLD", bld.BlendedLatentDiffusionSettings, bld.blended_latent_diffusion, bld.VERSION, uses=_LATENT
    ),
    "sd_inpaint": Method(
        "SD-inpaint",
        inpaint.SdInpaintSettings,
        inpaint.sd_inpaint,
        inpaint.VERSION,
        uses=(*_LATENT, "inpaint_unet"),
    ),
    "powerpaint": Method(
        "PPt", ppt.PowerPaintSettings, ppt.powerpaint, ppt.VERSION, uses=("vae", "powerpaint", "tokenizer", "scheduler")
    ),
    "uni_paint": Method("Uni", uni.UniPaintSettings, uni.uni_paint, uni.VERSION, uses=(*_LATENT, "clip")),
    "copy_paste": Method(
        "copy-paste", paste.CopyPasteSettings, paste.copy_paste, paste.VERSION, uses=(), bounding=True, seeded=False
    ),
    "oracle": Method(
        "oracle",
        truth.OracleSettings,
        truth.oracle,
        truth.VERSION,
        uses=(),
        bounding=True,
        seeded=False,
        needs_truth=True,
    ),
}


def methods() -> dict[str, Method]:
    """Built-in methods and those of installed plug-ins; a plug-in may not take a built-in name."""
    found = {point.name: point.load() for point in entry_points(group="spin_bench.methods")}
    return {**found, **BUILT_IN}
