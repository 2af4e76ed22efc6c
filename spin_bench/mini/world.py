"""The embedded world: captioned scenes of an object in a place, in one of four domains.

A scene is data (`Scene`), painting it is a pure function, so the same scene can be painted with and without its object:
that is how the embedded benchmark knows the true composite of every case.
"""

from dataclasses import dataclass, replace

import numpy as np

from spin_bench.mini.backgrounds import BACKGROUNDS
from spin_bench.mini.looks import Look, Pairs, dressed, sample_look
from spin_bench.mini.raster import SIDE, Grey, Integers, Rgb, blend, blurred, downsample, resized
from spin_bench.mini.sprites import bare
from spin_bench.mini.styles import STYLES

DOMAINS = tuple(STYLES)
CANVAS = 64  # px
OWN_KIND = 0.5  # of the distractors beside an individual are of its noun, in another look

# Rows of YIQ -> RGB and back in thousandths, for an integer hue rotation.
_LUMA = np.array([299, 587, 114], np.int64)


@dataclass(frozen=True)
class Instance:
    """One individual: the same noun with another hue, saturation or brightness is another individual."""

    noun: str
    hue: int = 0  # degrees / 6 around the grey axis, in [-5, 5]
    saturation: int = 100  # percent
    brightness: int = 100  # percent
    flip: bool = False
    look: Look | None = None  # what its noun does not tell; None keeps the noun's own


@dataclass(frozen=True)
class Placement:
    instance: Instance
    x: int  # centre, px of SIDE
    y: int
    side: int  # px of SIDE


@dataclass(frozen=True)
class Scene:
    place: str
    seed: int  # of the place
    domain: str
    objects: tuple[Placement, ...] = ()  # back to front; the last is the subject

    def without_objects(self) -> "Scene":
        return replace(self, objects=())


def rotate_hue(rgb: Integers, steps: int) -> Integers:
    """Turn colours around the grey axis by `steps` of 6 degrees, with tabulated integer sines."""
    sine = (0, 105, 208, 309, 407, 500)[abs(steps)] * (1 if steps >= 0 else -1)
    cosine = (1000, 995, 978, 951, 914, 866)[abs(steps)]
    third, root = (1000 - cosine) // 3, sine * 577 // 1000
    turn = np.array(
        [
            [cosine + third, third - root, third + root],
            [third + root, cosine + third, third - root],
            [third - root, third + root, cosine + third],
        ],
        np.int64,
    )
    return (rgb @ turn.T) // 1000


def individual(instance: Instance) -> tuple[Rgb, Grey]:
    """The object's own look: (rgb, alpha) at the sprite's size, uint8."""
    own, alpha = dressed(instance.noun, instance.look) if instance.look else bare(instance.noun)
    turned = rotate_hue(own.astype(np.int64), instance.hue)
    grey = (turned @ _LUMA // 1000)[..., None]
    lit = (grey + (turned - grey) * instance.saturation // 100) * instance.brightness // 100
    rgb = lit.clip(0, 255).astype(np.uint8)
    if instance.flip:
        rgb, alpha = rgb[:, ::-1], alpha[:, ::-1]
    return np.ascontiguousarray(rgb), np.ascontiguousarray(alpha)


def _on_canvas(placement: Placement) -> tuple[Rgb, Grey]:
    """The individual at its place on an empty canvas: (rgb, alpha), (SIDE, SIDE[, 3]) uint8; it may leave the frame."""
    rgb, alpha = (resized(layer, placement.side) for layer in individual(placement.instance))
    canvas, cover = np.zeros((SIDE, SIDE, 3), np.uint8), np.zeros((SIDE, SIDE), np.uint8)
    top, left = placement.y - placement.side // 2, placement.x - placement.side // 2
    rows = slice(max(0, top), min(SIDE, top + placement.side))
    columns = slice(max(0, left), min(SIDE, left + placement.side))
    source = (slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left))
    canvas[rows, columns], cover[rows, columns] = rgb[source], alpha[source]
    return canvas, cover


def _shadow(cover: Grey, side: int) -> Grey:
    """Contact shadow: the object's alpha, moved down a little and blurred; (SIDE, SIDE) uint8."""
    drop = max(2, side // 28)
    moved = np.zeros_like(cover)
    moved[drop:] = cover[:-drop]
    return (blurred(moved, drop).astype(np.int32) * 110 // 255).astype(np.uint8)


def draw_at_full_size(scene: Scene) -> Rgb:
    """The scene in its domain, (SIDE, SIDE, 3) uint8."""
    picture = BACKGROUNDS[scene.place](np.random.Generator(np.random.PCG64(scene.seed)))
    for placement in scene.objects:
        rgb, cover = _on_canvas(placement)
        picture = blend(picture, np.zeros_like(picture), _shadow(cover, placement.side))
        picture = blend(picture, rgb, cover)
    return STYLES[scene.domain](picture)


def paint(scene: Scene, side: int = CANVAS) -> Rgb:
    """The scene in its domain, (side, side, 3) uint8."""
    return downsample(draw_at_full_size(scene), side)


def subject_mask(scene: Scene, side: int = CANVAS) -> Grey:
    """Where the subject covers the scene, (side, side) uint8 in {0, 255}."""
    return ((downsample(_on_canvas(scene.objects[-1])[1], side) > 127) * 255).astype(np.uint8)


def sample_instance(rng: np.random.Generator, nouns: tuple[str, ...], looks: Pairs = ()) -> Instance:
    """One of `nouns` in one of `looks`; without looks it keeps its noun's own, up to hue and light."""
    if looks:
        return _sample_dressed(rng, nouns, looks)
    return Instance(
        noun=nouns[int(rng.integers(len(nouns)))],
        hue=int(rng.integers(-4, 5)),
        saturation=int(rng.integers(70, 121)),
        brightness=int(rng.integers(82, 113)),
        flip=bool(rng.integers(2)),
    )


def _sample_dressed(rng: np.random.Generator, nouns: tuple[str, ...], looks: Pairs) -> Instance:
    return Instance(
        noun=nouns[int(rng.integers(len(nouns)))],
        saturation=int(rng.integers(90, 111)),
        brightness=int(rng.integers(92, 107)),
        flip=bool(rng.integers(2)),
        look=sample_look(rng, looks),
    )


def _sample_distractor(
    rng: np.random.Generator, nouns: tuple[str, ...], looks: Pairs = (), subject: Instance | None = None
) -> Placement:
    """A small object in a corner of the frame: where there are looks, half the time the subject's kind in another."""
    if subject and subject.look and rng.random() < OWN_KIND:
        nouns, worn = (subject.noun,), (subject.look.colour, subject.look.pattern)
        looks = tuple(look for look in looks if look != worn)
    side = int(rng.integers(SIDE * 20 // 100, SIDE * 32 // 100))
    near, far = side // 2 + 6, SIDE - side // 2 - 6
    x, y = (far if rng.integers(2) else near for _ in range(2))
    return Placement(sample_instance(rng, nouns, looks), x, y, side)


def sample_scene(
    rng: np.random.Generator,
    nouns: tuple[str, ...],
    domain: str,
    *,
    size: tuple[int, int] = (45, 80),
    distractors: int = 0,
    looks: Pairs = (),
    subject: Instance | None = None,
) -> Scene:
    """A scene with one subject, `size` percent of the frame wide, in front of some smaller objects."""
    place = tuple(BACKGROUNDS)[int(rng.integers(len(BACKGROUNDS)))]
    side = int(rng.integers(SIDE * size[0] // 100, SIDE * size[1] // 100))
    x, y = (int(rng.integers(side // 2, SIDE - side // 2 + 1)) for _ in range(2))
    front = Placement(subject or sample_instance(rng, nouns, looks), x, y, side)
    behind = tuple(_sample_distractor(rng, nouns, looks, front.instance) for _ in range(distractors))
    return Scene(place=place, seed=int(rng.integers(2**31)), domain=domain, objects=(*behind, front))
