"""Mini-CLIP as a zero-shot judge of painted scenes: which object fills a box, and whether a scene holds one at all."""

from collections.abc import Sequence

import torch
from torch import Tensor

from spin_bench.mini.backgrounds import PLACES
from spin_bench.mini.captions import BENCHMARK, bare_place
from spin_bench.mini.sprites import nouns, sprites
from spin_bench.mini.world import DOMAINS
from spin_bench.models.stack import Stack
from training.train_clip import crop_to_subjects


def object_classes(stack: Stack) -> Tensor:
    """Zero-shot classifier of the trained nouns, (nouns, width)."""
    return stack.clip.encode_text([f"a photo of {sprites()[noun].with_article}" for noun in nouns("train")])


def place_classes(stack: Stack) -> Tensor:
    """Zero-shot classifier of (domain, place): prompts averaged over all nouns, as CLIP's own ensembles are."""
    texts = [
        BENCHMARK[domain].format(f"{sprites()[noun].with_article} {where}")
        for domain in DOMAINS
        for where in PLACES.values()
        for noun in nouns("train")
    ]
    means = stack.clip.encode_text(texts).unflatten(0, (len(DOMAINS), len(PLACES), -1)).mean(2)
    return torch.nn.functional.normalize(means, dim=-1)


def recognised(
    images: Tensor, subjects: Sequence[str], places: Sequence[str], domains: Sequence[str], stack: Stack
) -> tuple[Tensor, Tensor]:
    """Shares of pictures whose noun and whose place CLIP names right, zero-shot, as (noun, place) hits (n,) bool."""
    features = stack.clip.encode_image(images)
    named = (features @ object_classes(stack).T).argmax(1).tolist()
    noun_hits = torch.tensor([nouns("train")[i] == noun for i, noun in zip(named, subjects, strict=True)])
    of_own_domain = place_classes(stack)[[DOMAINS.index(domain) for domain in domains]]
    found = torch.einsum("nw,npw->np", features, of_own_domain).argmax(1).tolist()
    place_hits = torch.tensor([list(PLACES)[i] == place for i, place in zip(found, places, strict=True)])
    return noun_hits, place_hits


def crops(images: Tensor, masks: Tensor) -> Tensor:
    """(N, 3, H, W) pictures cut to a square around their masks (N, H, W) bool, as mini-CLIP learned to see objects."""
    whole = torch.zeros(len(images), dtype=torch.bool)
    return crop_to_subjects(images, masks, whole, torch.Generator().manual_seed(0))


def object_hits(images: Tensor, masks: Tensor, subjects: Sequence[str], stack: Stack) -> Tensor:
    """Where CLIP names the object inside the mask right, among all trained nouns; (N,) bool."""
    named = (stack.clip.encode_image(crops(images, masks)) @ object_classes(stack).T).argmax(1).tolist()
    return torch.tensor([nouns("train")[i] == noun for i, noun in zip(named, subjects, strict=True)])


def _contents(place: str, domain: str, stack: Stack) -> Tensor:
    """Features of the bare place, then of every trained noun in it, in the domain's wording: (1 + nouns, width)."""
    contents = [bare_place(place)] + [f"{sprites()[noun].with_article} {PLACES[place]}" for noun in nouns("train")]
    return stack.clip.encode_text([BENCHMARK[domain].format(content) for content in contents])


def judged_empty(images: Tensor, places: Sequence[str], domains: Sequence[str], stack: Stack) -> Tensor:
    """Where CLIP, told place and domain, finds the bare place likelier than the place with any noun; (N,) bool."""
    scenes = list(zip(places, domains, strict=True))
    classes = {scene: _contents(*scene, stack) for scene in set(scenes)}
    features = stack.clip.encode_image(images)
    return torch.stack(
        [(classes[scene] @ feature).argmax() == 0 for scene, feature in zip(scenes, features, strict=True)]
    )
