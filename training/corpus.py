"""The training pictures: scenes of the embedded world rendered once into a cache folder, shard by shard, resumable.

Scene `i` is a function of `i` alone; indices from `HELD_OUT` on are never trained on.
"""

import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spin_bench.mini.captions import caption
from spin_bench.mini.looks import SHIPPED_WORLD, trained_looks
from spin_bench.mini.sprites import nouns
from spin_bench.mini.world import CANVAS, DOMAINS, Scene, paint, sample_scene, subject_mask

SHARD = 1000  # scenes a file
HELD_OUT = 10_000_000  # first index of the scenes kept for evaluation

_COLUMNS = ("caption", "noun", "place", "domain", "colour", "pattern")
DOMAIN_SHARES = (0.52, 0.16, 0.16, 0.16)  # of DOMAINS


@dataclass(frozen=True)
class Corpus:
    """Aligned arrays of N scenes."""

    pictures: NDArray[np.uint8]  # (N, 64, 64, 3)
    masks: NDArray[np.bool_]  # (N, 64, 64), where the subject is
    captions: list[str]
    nouns: list[str]  # "" for an empty scene
    places: list[str]
    domains: list[str]
    colours: list[str] = field(default_factory=list)  # "" for an empty scene; nothing at all in the first world
    patterns: list[str] = field(default_factory=list)


def training_scene(index: int, world: int = SHIPPED_WORLD) -> tuple[Scene, str]:
    """Scene `index` and its caption: 77 % one subject, 15 % like a reference (large, with distractors), 8 % empty."""
    rng, worn = np.random.Generator(np.random.PCG64([world, index])), trained_looks(world)
    domain = str(rng.choice(DOMAINS, p=DOMAIN_SHARES))
    kind = rng.random()
    if kind < 0.15:
        scene = sample_scene(
            rng, nouns("train"), domain, size=(60, 85), distractors=int(rng.integers(1, 3)), looks=worn
        )
    else:
        scene = sample_scene(rng, nouns("train"), domain, looks=worn)
    if kind > 0.92:
        scene = scene.without_objects()
    return scene, caption(scene, rng)


def other_captions(start: int, count: int, *, variants: int, world: int) -> list[list[str]]:
    """`variants` captions for each of the scenes [start, start + count), drawn as their own was."""
    return [
        [caption(scene, np.random.Generator(np.random.PCG64([world, index, variant]))) for variant in range(variants)]
        for index in range(start, start + count)
        for scene in (training_scene(index, world)[0],)
    ]


def _facts(scene: Scene, text: str) -> dict[str, str]:
    subject = scene.objects[-1].instance if scene.objects else None
    look = subject.look if subject else None
    return {
        "caption": text,
        "noun": subject.noun if subject else "",
        "place": scene.place,
        "domain": scene.domain,
        "colour": look.colour if look else "",
        "pattern": look.pattern if look else "",
    }


def _render_shard(path: Path, start: int, count: int, world: int) -> None:
    scenes, captions = zip(*(training_scene(start + i, world) for i in range(count)), strict=True)
    empty = np.zeros((CANVAS, CANVAS), np.uint8)
    facts = [_facts(scene, text) for scene, text in zip(scenes, captions, strict=True)]
    unfinished = path.with_suffix(f".{os.getpid()}.tmp")
    with unfinished.open("wb") as file:
        np.savez(
            file,
            pictures=np.stack([paint(scene) for scene in scenes]),
            masks=np.packbits(np.stack([subject_mask(s) if s.objects else empty for s in scenes]) > 0, axis=-1),
            facts=np.frombuffer(json.dumps(facts).encode(), np.uint8),
        )
    unfinished.replace(path)


def render(folder: Path, *, start: int, count: int, workers: int, world: int = SHIPPED_WORLD) -> Iterator[int]:
    """Render what is missing of scenes [start, start + count), a multiple of `SHARD`; yields the scenes done so far."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [(folder / f"{first:08d}.npz", first) for first in range(start, start + count, SHARD)]
    missing = [(path, first) for path, first in wanted if not path.exists()]
    with ProcessPoolExecutor(workers) as pool:
        jobs = [
            pool.submit(_render_shard, path, first, min(SHARD, start + count - first), world) for path, first in missing
        ]
        for done, job in enumerate(jobs, start=1):
            job.result()
            yield count - (len(missing) - done) * SHARD


def load(folder: Path, *, start: int, count: int) -> Corpus:
    """Read scenes [start, start + count) that `render` has made; 16 KB of memory a scene."""
    pictures, masks, facts = [], [], []
    for first in range(start, start + count, SHARD):
        with np.load(folder / f"{first:08d}.npz") as shard:
            pictures.append(shard["pictures"])
            masks.append(np.unpackbits(shard["masks"], axis=-1).astype(bool))
            facts += json.loads(shard["facts"].tobytes())
    columns = {key: [fact.get(key, "") for fact in facts] for key in _COLUMNS}
    return Corpus(
        pictures=np.concatenate(pictures),
        masks=np.concatenate(masks),
        captions=columns["caption"],
        nouns=columns["noun"],
        places=columns["place"],
        domains=columns["domain"],
        colours=columns["colour"],
        patterns=columns["pattern"],
    )


def individuals(scenes: Corpus) -> Corpus:
    """Those scenes whose subject is an individual with a look."""
    rows = [index for index, colour in enumerate(scenes.colours) if colour]
    return subset(scenes, rows)


def subset(scenes: Corpus, rows: Sequence[int]) -> Corpus:
    """The scenes at `rows`, in that order."""
    lists = {name: [column[i] for i in rows] for name, column in vars(scenes).items() if isinstance(column, list)}
    return Corpus(pictures=scenes.pictures[rows], masks=scenes.masks[rows], **lists)
