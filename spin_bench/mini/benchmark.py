"""The embedded benchmark: 332 cases in TF-ICON's own folder layout, counts and quirks, plus the true composite.

A case is rendered by the first run that asks for it, the same bytes on every machine (given the pinned packages).
"""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from spin_bench.core.identity import sha256_of
from spin_bench.core.paths import cache_folder
from spin_bench.mini.captions import benchmark_prompt
from spin_bench.mini.looks import SHIPPED_WORLD, looks
from spin_bench.mini.raster import SIDE, Grey, Rgb
from spin_bench.mini.sprites import nouns
from spin_bench.mini.world import CANVAS, Instance, Scene, paint, sample_instance, sample_scene, subject_mask

COUNTS = {"real": 237, "cartoon": 27, "painting": 37, "sketch": 31}  # TF-ICON's, in the benchmark's order
FIRST = {"real": 1}  # TF-ICON counts its real domain from 1, the others from 0
FOLDERS = {"real": "Real-Real", "cartoon": "Real-Cartoon", "painting": "Real-Painting", "sketch": "Real-Sketch"}
REFERENCE_SIDE, REFERENCE_MASK_SIDE = 128, 96  # px; different on purpose, as in TF-ICON
NOVEL_SHARE = 0.25  # of the cases show an object that no model was trained on
NOVEL_LOOK_SHARE = 0.25  # of the second version's others show a colour and pattern never trained on together


@dataclass(frozen=True)
class Task:
    """One case as data."""

    scene: Scene  # with the object: the truth
    photo: Scene  # of the same individual elsewhere, with distractors
    margins: tuple[int, int, int, int]  # of the mask around the object: left, top, right, bottom, px of CANVAS
    novel: bool
    novel_look: bool = False

    @property
    def instance(self) -> Instance:
        return self.photo.objects[-1].instance

    @property
    def prompt(self) -> str:
        return benchmark_prompt(self.scene)

    def box(self) -> tuple[int, int, int, int]:
        """Bound the subject, its margins around it, inside the canvas: left, top, right, bottom."""
        rows, columns = np.nonzero(subject_mask(self.scene))
        left, top, right, bottom = self.margins
        return (
            max(0, int(columns.min()) - left),
            max(0, int(rows.min()) - top),
            min(CANVAS, int(columns.max()) + 1 + right),
            min(CANVAS, int(rows.max()) + 1 + bottom),
        )


def _margins(rng: np.random.Generator) -> tuple[int, int, int, int]:
    """6 to 11 % of the canvas on every side."""
    left, top, right, bottom = (int(m) for m in rng.integers(CANVAS * 6 // 100 + 1, CANVAS * 11 // 100 + 1, 4))
    return left, top, right, bottom


def make_task(domain: str, index: int, version: int = SHIPPED_WORLD) -> Task:
    """Case `index` of `domain`; a function of its arguments alone."""
    rng = np.random.Generator(np.random.PCG64([version, list(COUNTS).index(domain), index]))
    return _task_of_kinds(rng, domain) if version == 1 else _task_of_individuals(rng, domain)


def _task_of_individuals(rng: np.random.Generator, domain: str) -> Task:
    """An individual in a scene, and in a photo of another place among others, often of its own kind."""
    novel, novel_look = rng.random() < NOVEL_SHARE, rng.random() < NOVEL_LOOK_SHARE
    novel_look = novel_look and not novel
    split = looks("novel" if novel_look else "train")
    instance = sample_instance(rng, nouns("novel" if novel else "train"), split)
    scene = sample_scene(rng, nouns("train"), domain, size=(45, 66), subject=instance)
    while True:
        photo = sample_scene(
            rng,
            nouns("train"),
            "real",
            size=(62, 84),
            distractors=int(rng.integers(1, 3)),
            looks=looks("train"),
            subject=instance,
        )
        if photo.place != scene.place:
            return Task(scene, photo, _margins(rng), bool(novel), bool(novel_look))


def _task_of_kinds(rng: np.random.Generator, domain: str) -> Task:
    """An object of some hue and light in a scene, and in a photo of another place among others."""
    novel = bool(rng.random() < NOVEL_SHARE)
    instance: Instance = sample_instance(rng, nouns("novel" if novel else "train"))
    scene = sample_scene(rng, nouns("train"), domain, size=(45, 66))
    scene = replace(scene, objects=(replace(scene.objects[-1], instance=instance),))
    while True:
        photo = sample_scene(rng, nouns("train"), "real", size=(62, 84), distractors=int(rng.integers(1, 3)))
        if photo.place != scene.place:
            break
    subject = replace(photo.objects[-1], instance=instance)
    photo = replace(photo, objects=(*photo.objects[:-1], subject))
    return Task(scene, photo, _margins(rng), novel)


def _mask(box: tuple[int, int, int, int]) -> Grey:
    mask = np.zeros((CANVAS, CANVAS), np.uint8)
    mask[box[1] : box[3], box[0] : box[2]] = 255
    return mask


def _object_mask(photo: Scene, index: int) -> Image.Image:
    """Grey or RGBA by turns, as in TF-ICON."""
    full = subject_mask(photo, SIDE)
    small = Image.fromarray(full).resize((REFERENCE_MASK_SIDE, REFERENCE_MASK_SIDE), Image.Resampling.NEAREST)
    return small.convert("RGBA") if index % 2 else small


def _copy_paste(scene: Scene) -> Rgb:
    """The untouched individual pasted on the scene's background, with no shadow and no style."""
    flat = replace(scene, domain="real")
    cover = subject_mask(flat)[..., None] > 0
    return np.where(cover, paint(flat), paint(scene.without_objects()))


def _facts(task: Task, version: int) -> dict[str, str | bool | int]:
    """What a benchmark can say that prompts do not; from the second version on the individual's look, too."""
    facts: dict[str, str | bool | int] = {"subject": task.instance.noun, "novel": task.novel}
    if look := task.instance.look:
        facts |= {"colour": look.colour, "pattern": look.pattern, "accessory": look.accessory}
        facts |= {"novel_look": task.novel_look, "version": version}
    return facts


def listed(version: int) -> list[tuple[str, int, Task]]:
    """List domain, index and task of every case, in the benchmark's order; nothing is painted."""
    indices = [(domain, FIRST.get(domain, 0) + n) for domain, count in COUNTS.items() for n in range(count)]
    return [(domain, index, make_task(domain, index, version)) for domain, index in indices]


def case_folder(root: Path, domain: str, index: int, task: Task) -> Path:
    return root / FOLDERS[domain] / f"{index:04d} {task.prompt}"


def write_case(root: Path, domain: str, index: int, version: int = SHIPPED_WORLD) -> None:
    """Paint case `index` of `domain` under `root`, if it is not there: its folder appears only once it is whole."""
    task = make_task(domain, index, version)
    folder = case_folder(root, domain, index, task)
    if folder.exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".", dir=folder.parent) as here:
        unfinished = Path(here) / folder.name
        unfinished.mkdir()
        _write_files(unfinished, index, task, version)
        try:
            unfinished.rename(folder)
        except OSError:
            if not folder.exists():  # else another process was faster
                raise


def _write_files(folder: Path, index: int, task: Task, version: int) -> None:
    stem = f"fg{index:02d}_{sha256_of(task.prompt.encode())[:24]}"
    background, mask = paint(task.scene.without_objects()), _mask(task.box())
    truth = np.where(mask[..., None] > 0, paint(task.scene), background)
    Image.fromarray(background).save(folder / f"bg{index:02d}.png")
    Image.fromarray(np.repeat(mask[..., None], 3, axis=2)).save(folder / "mask_bg_fg.jpg", quality=75)
    Image.fromarray(paint(task.photo, REFERENCE_SIDE)).save(folder / f"{stem}.jpg", quality=92)
    _object_mask(task.photo, index).save(folder / f"{stem}_mask.png")
    Image.fromarray(_copy_paste(task.scene)).save(folder / "cp_bg_fg.jpg", quality=92)
    Image.fromarray(truth).save(folder / "true_bg_fg.png")
    (folder / "facts.json").write_text(json.dumps(_facts(task, version)) + "\n")


def benchmark_folder(version: int) -> Path:
    return cache_folder() / f"mini-benchmark-{version}"


def render(root: Path, cases: Sequence[tuple[str, int]], *, version: int, workers: int) -> Iterator[int]:
    """Write those (domain, index) to `root`, which others may do at once; yields the cases done so far."""
    with ProcessPoolExecutor(workers) as pool:
        pending = [pool.submit(write_case, root, domain, index, version) for domain, index in cases]
        for done, job in enumerate(pending, start=1):
            job.result()
            yield done
