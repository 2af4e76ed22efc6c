"""What the pixel-space model is trained on: many photographs of objects at half the canvas, rendered once into a cache.

They are the photographs among the corpus's own endless row of scenes, further along it than the other models go: many
pictures a step would show a smaller set so often that the model came to know it by heart.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spin_bench.mini.world import paint
from training.corpus import SHARD, Corpus, training_scene

SIDE = 32  # px: half the canvas, as guided-diffusion's 256 is to 512


def photographs(scenes: Corpus) -> NDArray[np.uint8]:
    """The pictures of the real domain that show an object, (n, H, W, 3) uint8."""
    photographed = [noun != "" and domain == "real" for noun, domain in zip(scenes.nouns, scenes.domains, strict=True)]
    return scenes.pictures[np.array(photographed)]


def small_photographs(start: int, count: int) -> NDArray[np.uint8]:
    """Those among training scenes [start, start + count), each averaged down to (SIDE, SIDE, 3) uint8."""
    scenes = (training_scene(index)[0] for index in range(start, start + count))
    pictures = (Image.fromarray(paint(scene)) for scene in scenes if scene.objects and scene.domain == "real")
    small = [np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BOX)) for picture in pictures]
    return np.stack(small) if small else np.empty((0, SIDE, SIDE, 3), np.uint8)


def _render_shard(path: Path, start: int, count: int) -> None:
    unfinished = path.with_suffix(f".{os.getpid()}.tmp")
    with unfinished.open("wb") as file:
        np.save(file, small_photographs(start, count))
    unfinished.replace(path)


def _shards(folder: Path, scenes: int) -> list[tuple[Path, int, int]]:
    return [(folder / f"{start:08d}.npy", start, min(SHARD, scenes - start)) for start in range(0, scenes, SHARD)]


def render(folder: Path, *, scenes: int, workers: int) -> Iterator[int]:
    """Render what is missing of the first `scenes`' photographs; yields the number of shards done so far."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = _shards(folder, scenes)
    missing = [shard for shard in wanted if not shard[0].exists()]
    with ProcessPoolExecutor(workers) as pool:
        jobs = [pool.submit(_render_shard, *shard) for shard in missing]
        for done, job in enumerate(jobs, start=len(wanted) - len(missing) + 1):
            job.result()
            yield done


def load(folder: Path, *, scenes: int) -> NDArray[np.uint8]:
    """(n, SIDE, SIDE, 3) uint8 of what `render` has made."""
    return np.concatenate([np.load(path) for path, _, _ in _shards(folder, scenes)])
