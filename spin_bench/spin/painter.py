"""Spin: the whole method, from a case to its painted pictures.

What the abstract fixes: saliency splits the reference, non-salient information is filtered out of the embedding, the
embedding is injected into the masked region only, style guidance pulls the foreground towards the background. Steps,
guidance scale, iterations and learning rate are the paper's settings. Every other default is ours: see docs/spin.md.
"""

from collections.abc import Callable, Sequence
from itertools import zip_longest

import torch
from PIL import Image
from torch import Tensor

from spin_bench.core.case import Case
from spin_bench.core.errors import UserError
from spin_bench.diffusion.latents import decode, encode, latent_mask, mask_to_tensor, to_pictures, to_tensor
from spin_bench.diffusion.text import encode_prompt
from spin_bench.methods.method import Method
from spin_bench.methods.painter import SHARED_SECONDS, Painter
from spin_bench.models.stack import Stack
from spin_bench.spin.backbone import BEHIND
from spin_bench.spin.backbone import PARTS as BACKBONE_PARTS
from spin_bench.spin.choices import check
from spin_bench.spin.context import OUTSIDE, reads_reference, semantic_contexts
from spin_bench.spin.generation import Scene, generate
from spin_bench.spin.injection import INJECTIONS
from spin_bench.spin.references import PARTS, fell_back, reference_embeddings
from spin_bench.spin.settings import SpinSettings
from spin_bench.spin.transitions import PASTES
from spin_bench.store.artefacts import Artefact, Artefacts

VERSION = "3"  # raise when a change of this package changes pictures

FELL_BACK = "saliency_fell_back"  # fact of an image: the saliency map did not split its reference, all of it counted


def spin(settings: SpinSettings, stack: Stack) -> Painter:
    """Build the painter; it keeps every reference's embedding in the stack's artefacts.

    Raises `UserError` if a choice does not fit.
    """
    check(settings, stack)
    return lambda case, seeds: _paint([case], seeds, settings, stack)


def spin_together(settings: SpinSettings, stack: Stack) -> Callable[[Sequence[Case], Sequence[int]], list[Image.Image]]:
    """Build a painter of several references into one picture: cases of one background, each with its own mask.

    Where masks overlap, their contexts are mixed. It raises `UserError` if the backgrounds differ, or if the settings
    allow one reference only.
    """
    check(settings, stack)

    def paint(cases: Sequence[Case], seeds: Sequence[int]) -> list[Image.Image]:
        if len({Artefacts.digest(case.background) for case in cases}) != 1:
            raise UserError("spin_together: the cases show different backgrounds: give it one picture's cases")
        if len(cases) > 1 and not (settings.region_injection and INJECTIONS[settings.injection].several):
            raise UserError("spin_together: several references need region_injection and injection=two_contexts")
        return _paint(cases, seeds, settings, stack)

    return paint


def prepare(settings: SpinSettings, stack: Stack, cases: Sequence[Case]) -> None:
    """Extract the references of several cases in one batch; the painter then takes them from the stack's artefacts."""
    check(settings, stack)
    if reads_reference(settings):
        reference_embeddings(cases, settings.embedding, stack, backbone=settings.backbone)


def parts(settings: SpinSettings) -> tuple[str, ...]:
    """Name the parts of the stack that pictures depend on; an unknown backbone adds none, `check` rejects it later."""
    return (*PARTS, *BACKBONE_PARTS.get(settings.backbone, ()))


def _paint(cases: Sequence[Case], seeds: Sequence[int], settings: SpinSettings, stack: Stack) -> list[Image.Image]:
    learned: list[Artefact] = []
    if reads_reference(settings):
        learned = reference_embeddings(cases, settings.embedding, stack, backbone=settings.backbone)
    fallen = bool(learned) and any(fell_back(case, settings.embedding, stack) for case in cases)
    mask = torch.stack([mask_to_tensor(case.mask) for case in cases]).amax(0)
    with torch.no_grad():
        scene = _scene(cases, mask, [artefact.value.to(stack.device) for artefact in learned], settings, stack)
        images = decode(stack.vae, generate(scene, seeds, settings, stack))
    known = to_tensor(cases[0].background, stack.canvas).to(images)
    pictures = to_pictures(PASTES[settings.paste](images, known, mask.to(images)))
    for picture in pictures:
        picture.info[SHARED_SECONDS] = sum(artefact.seconds for artefact in learned)
        if fallen:
            picture.info[FELL_BACK] = 1.0
    return pictures


def _scene(
    cases: Sequence[Case], mask: Tensor, learned: Sequence[Tensor], settings: SpinSettings, stack: Stack
) -> Scene:
    background = to_tensor(cases[0].background, stack.canvas)
    regions = torch.cat([latent_mask(case.mask, stack.vae) for case in cases], 1).to(stack.device, stack.dtype)
    regions = regions / regions.sum(1, keepdim=True).clamp(min=1)
    return Scene(
        background=encode(stack.vae, background),
        regions=regions,
        contexts=[
            semantic_contexts(case, vectors, settings, stack)
            for case, vectors in zip_longest(cases, learned)  # without a place in the text nothing is learned
        ],
        outside=encode_prompt(stack.tokenizer, stack.text_encoder, OUTSIDE[settings.outside](cases[0])),
        null=encode_prompt(stack.tokenizer, stack.text_encoder, ""),
        known=BEHIND[settings.backbone](background, mask, regions.sum(1, keepdim=True), stack),
    )


METHOD = Method("Spin", SpinSettings, spin, VERSION, uses=parts, colour="#D55E00", prepare=prepare)
