"""The embeddings of references, extracted several in one batch and kept for every run that needs them."""

import logging
import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, ones_like

from spin_bench.core.case import Case
from spin_bench.core.identity import derive_seed, key_of
from spin_bench.diffusion.latents import encode
from spin_bench.diffusion.text import encode_prompt
from spin_bench.diffusion.vocabulary import initial_vectors
from spin_bench.models.stack import Stack
from spin_bench.spin.backbone import BEHIND
from spin_bench.spin.backbone import PARTS as BACKBONE_PARTS
from spin_bench.spin.extraction import Target, extract
from spin_bench.spin.saliency import THRESHOLD, reference_image, saliency_map, splits, usable
from spin_bench.spin.settings import EmbeddingSettings
from spin_bench.spin.views import View, views_of
from spin_bench.store.artefacts import Artefact, Artefacts

log = logging.getLogger(__name__)

KIND, SALIENCY_KIND = "embedding", "saliency"
PARTS = ("vae", "unet", "text_encoder", "tokenizer", "scheduler", "clip", "saliency")  # of the stack, that are read
VERSION = "1"  # raise when a change of the extraction changes embeddings


def reference_embeddings(
    cases: Sequence[Case],
    settings: EmbeddingSettings,
    stack: Stack,
    *,
    backbone: str = "text_to_image",
) -> list[Artefact]:
    """Return what was learned of the reference of each of `cases`, (1, vectors or window, width), from the artefacts.

    If one is missing, all are extracted again in one batch: another batch size rounds differently, and a killed run
    must end with the same bytes. Raises `UserError` if a reference has no saliency map or no initial vector.
    """
    identities = [_identity(case, settings, stack, backbone) for case in cases]
    if any(stack.artefacts.find(KIND, identity) is None for identity in identities):
        # one per reference: two cases may have the same photo
        distinct = {key_of(identity): (case, identity) for case, identity in zip(cases, identities, strict=True)}
        started = time.perf_counter()
        targets = [_target(case, settings, stack, backbone) for case, _ in distinct.values()]
        null = encode_prompt(stack.tokenizer, stack.text_encoder, "")
        learned = extract(stack, targets, null, settings, backbone=backbone)
        seconds = (time.perf_counter() - started) / len(distinct)
        for (_, identity), one in zip(distinct.values(), learned.split(1), strict=True):
            if stack.artefacts.find(KIND, identity) is None:
                stack.artefacts.keep(KIND, identity, one, seconds=seconds)
    kept = [stack.artefacts.find(KIND, identity) for identity in identities]
    return [artefact for artefact in kept if artefact is not None]


def salient_cells(case: Case, settings: EmbeddingSettings, stack: Stack) -> Tensor:
    """Return the saliency map of the reference, (1, 1, h, w) in [0, 1], even if it does not split the reference."""
    names = ("saliency", "soft_saliency", "dilation", "rembg_model")
    constants = {"saliency_threshold": THRESHOLD, "largest_component": False}  # once settings: they name maps still
    identity = {
        "reference": Artefacts.digest(case.reference, case.reference_mask),
        "weights": stack.weights(("vae", "saliency")),
        "settings": {name: getattr(settings, name) for name in names} | constants,
        "canvas": stack.canvas,
        "version": VERSION,
    }
    cells = stack.artefacts.tensor(SALIENCY_KIND, identity, lambda: saliency_map(case, stack, settings))
    return cells.to(stack.device)


def fell_back(case: Case, settings: EmbeddingSettings, stack: Stack) -> bool:
    """Tell whether the whole reference counts because its saliency map does not split it."""
    return settings.saliency != "none" and not splits(salient_cells(case, settings, stack))


def _identity(case: Case, settings: EmbeddingSettings, stack: Stack, backbone: str) -> dict[str, Any]:
    """What decides an embedding: the reference, not the case, since the same photo in two scenes has one embedding."""
    reference = Artefacts.digest(case.reference, case.reference_mask)
    weights = stack.weights((*PARTS, *BACKBONE_PARTS[backbone]))
    identity: dict[str, Any] = {"reference": reference, "weights": weights, "settings": settings, "version": VERSION}
    if backbone != "text_to_image":
        identity["backbone"] = backbone
    if settings.init == "class_noun":
        identity["prompt"] = case.prompt
    return identity


@torch.no_grad()
def _target(case: Case, settings: EmbeddingSettings, stack: Stack, backbone: str) -> Target:
    if fell_back(case, settings, stack):
        log.warning("%s: the saliency map is empty or full, so the whole reference is learned", case.id)
    whole = View(reference_image(case, stack), usable(salient_cells(case, settings, stack)))
    digest = Artefacts.digest(case.reference, case.reference_mask)
    views = views_of(
        whole, non_salient=settings.non_salient, augmentation=settings.augmentation, seed=derive_seed(0, digest, 1)
    )
    saliency = torch.cat([view.cells for view in views])
    holes = [BEHIND[backbone](view.image, view.cover, view.cells, stack) for view in views]
    return Target(
        latents=torch.cat([encode(stack.vae, view.image) for view in views]),
        weight=saliency if settings.masked_loss else ones_like(saliency),
        region=saliency if settings.region_extraction else ones_like(saliency),
        initial=initial_vectors(
            stack, whole.image * whole.cover, init=settings.init, vectors=settings.vectors, prompt=case.prompt
        ),
        seed=derive_seed(0, digest, 0),
        known=None if holes[0] is None else torch.cat([hole for hole in holes if hole is not None]),
    )
