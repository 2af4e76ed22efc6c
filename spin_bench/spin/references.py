"""The embeddings of references: extracted once, several in one batch, and kept for every run that needs them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch.nn.functional as F
from torch import ones_like

from spin_bench.artefacts import Artefact, Artefacts
from spin_bench.case import Case
from spin_bench.diffusion.latents import encode
from spin_bench.diffusion.text import encode_prompt
from spin_bench.identity import derive_seed
from spin_bench.spin.embedding import Target, extract
from spin_bench.spin.saliency import reference_image, saliency_map
from spin_bench.spin.vocabulary import initial_vectors
from spin_bench.stack import Stack

KIND = "embedding"
PARTS = ("vae", "unet", "text_encoder", "tokenizer", "scheduler", "clip", "saliency")  # of the stack, that are read
VERSION = "1"  # raise when a change of the extraction changes embeddings


@dataclass(frozen=True)
class EmbeddingSettings:
    """What decides a reference's embedding, and therefore its key in the store of artefacts."""

    iterations: int = 200
    lr: float = 5e-4
    batch: int = 1  # noisy copies of the reference an iteration
    weight_decay: float = 1e-2
    vectors: int = 1  # token vectors that are learned
    init: str = "nearest_word"  # nearest_word | mean_token
    template: str = "a photo of {}"
    saliency: str = "learned"  # learned | reference_mask | none
    soft_saliency: bool = False
    region_extraction: bool = True  # the null text explains the non-salient part
    masked_loss: bool = True  # the loss counts salient cells alone


def reference_embeddings(
    cases: Sequence[Case], settings: EmbeddingSettings, stack: Stack, artefacts: Artefacts
) -> list[Artefact]:
    """The token vectors (1, n, width) of every case's reference, extracted together where `artefacts` lacks one.

    A group that lacks one is extracted whole: sums of another batch size round differently, and a run that was killed
    is to end with the bytes of one that was not.
    """
    identities = [_identity(case, settings, stack, artefacts) for case in cases]
    if any(artefacts.find(KIND, identity) is None for identity in identities):
        # by reference, since two cases may show the same photo
        wanted = {i["reference"]: (case, i) for case, i in zip(cases, identities, strict=True)}
        started = time.perf_counter()
        vectors = extract(
            stack,
            [_target(case, settings, stack, artefacts) for case, _ in wanted.values()],
            encode_prompt(stack.tokenizer, stack.text_encoder, ""),
            template=settings.template,
            iterations=settings.iterations,
            lr=settings.lr,
            batch=settings.batch,
            weight_decay=settings.weight_decay,
        )
        seconds = (time.perf_counter() - started) / len(wanted)
        for (_, identity), learned in zip(wanted.values(), vectors.split(1), strict=True):
            if artefacts.find(KIND, identity) is None:
                artefacts.keep(KIND, identity, learned, seconds=seconds)
    found = [artefacts.find(KIND, identity) for identity in identities]
    return [artefact for artefact in found if artefact is not None]


def _identity(case: Case, settings: EmbeddingSettings, stack: Stack, artefacts: Artefacts) -> dict[str, Any]:
    """Of the reference, not the case: the same photo in two scenes has one embedding."""
    reference = artefacts.digest(case.reference, case.reference_mask)
    weights = stack.weights(PARTS)
    return {"reference": reference, "weights": weights, "settings": settings, "version": VERSION}


def _target(case: Case, settings: EmbeddingSettings, stack: Stack, artefacts: Artefacts) -> Target:
    saliency = saliency_map(case, stack, backend=settings.saliency, soft=settings.soft_saliency)
    image = reference_image(case, stack)
    cover = F.interpolate(saliency, image.shape[-2:], mode="nearest")
    return Target(
        latents=encode(stack.vae, image),
        weight=saliency if settings.masked_loss else ones_like(saliency),
        region=saliency if settings.region_extraction else ones_like(saliency),
        initial=initial_vectors(stack, image * cover, init=settings.init, vectors=settings.vectors),
        seed=derive_seed(0, artefacts.digest(case.reference, case.reference_mask), 0),
    )
