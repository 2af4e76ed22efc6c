"""What each setting of Spin can be, checked against the stack before anything is painted."""

from collections.abc import Collection

from spin_bench.core.errors import UserError, unknown
from spin_bench.diffusion.placeholders import slotted_prompt
from spin_bench.diffusion.unets import UNETS, expect_channels
from spin_bench.diffusion.vocabulary import INITIAL
from spin_bench.models.stack import Stack
from spin_bench.spin.context import OUTSIDE, STYLES, text_of
from spin_bench.spin.embedding import LEARNED
from spin_bench.spin.extraction import TEMPLATES
from spin_bench.spin.injection import GRIDS, INJECTIONS
from spin_bench.spin.saliency import SALIENCY
from spin_bench.spin.settings import PLACE, PROMPT, STYLE, EmbeddingSettings, SpinSettings
from spin_bench.spin.style import STATISTICS
from spin_bench.spin.style_features import FEATURES
from spin_bench.spin.transitions import BLENDINGS, PASTES, STARTS
from spin_bench.spin.views import AUGMENTATIONS, NON_SALIENT

GENERATION: dict[str, Collection[str]] = {
    "backbone": UNETS,
    "blending": BLENDINGS,
    "injection": INJECTIONS,
    "injection_grids": GRIDS,
    "outside": OUTSIDE,
    "paste": PASTES,
    "start": STARTS,
    "style_features": FEATURES,
    "style_statistic": STATISTICS,
}
EXTRACTION: dict[str, Collection[str]] = {
    "augmentation": AUGMENTATIONS,
    "init": INITIAL,
    "learns": LEARNED,
    "non_salient": NON_SALIENT,
    "saliency": SALIENCY,
    "templates": TEMPLATES,
}
LEAST = {"iterations": 0, "batch": 1, "vectors": 1, "dilation": 0}


def check(settings: SpinSettings, stack: Stack) -> None:
    """Raise `UserError` if a choice is unknown, out of range, or does not fit the stack."""
    _known(settings, GENERATION, "")
    _known(settings.embedding, EXTRACTION, "embedding.")
    for name, least in LEAST.items():
        if getattr(settings.embedding, name) < least:
            raise UserError(f"spin: embedding.{name}={getattr(settings.embedding, name)}: must be at least {least}")
    if not 0 <= settings.style_words <= 1:
        raise UserError(f"spin: style_words={settings.style_words}: a share of the region, from 0 to 1")
    if settings.soft_edges < 0:
        raise UserError(f"spin: soft_edges={settings.soft_edges}: a deviation in latent cells, 0 for hard edges")
    _check_text(settings, stack)
    unet, mend = UNETS[settings.backbone](stack), "choose the other backbone, or another model for the stack"
    expect_channels(unet, settings.backbone, stack, method=f"spin with backbone={settings.backbone}", mend=mend)


def _known(settings: SpinSettings | EmbeddingSettings, choices: dict[str, Collection[str]], prefix: str) -> None:
    for name, known in choices.items():
        if getattr(settings, name) not in known:
            raise unknown(f"{prefix}{name} of spin", getattr(settings, name), sorted(known))


def _check_text(settings: SpinSettings, stack: Stack) -> None:
    for text in (settings.embedding.template, text_of(settings).replace(PROMPT, "").replace(STYLE, STYLES[-1])):
        if PLACE in text:
            slotted_prompt(stack, text, settings.embedding.vectors)
