"""The places of the embedded world, each a painter from a random generator to a (SIDE, SIDE, 3) uint8 picture."""

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np

from spin_bench.mini.raster import SIDE, Colour, Grey, Rgb, blend, blurred, jitter, noise, ramp, resized, vertical

Painter = Callable[[np.random.Generator], Rgb]


@cache
def _texture(name: str) -> Grey:
    from skimage import data

    picture = getattr(data, name)()
    return np.ascontiguousarray(np.rot90(picture)) if name == "brick" else picture  # its courses stand upright


def _textured(rng: np.random.Generator, name: str, dark: Colour, light: Colour) -> Rgb:
    """A crop of one of scikit-image's bundled textures, coloured, with soft uneven light."""
    whole = _texture(name)
    side = int(rng.integers(150, 220))
    top, left = (int(rng.integers(0, length - side)) for length in whole.shape[:2])
    crop = resized(whole[top : top + side, left : left + side], SIDE)
    light_map = noise(rng, 2, 2, octaves=1).astype(np.int32)
    value = blurred(crop, 2).astype(np.int32) * (200 + light_map // 4) // 255
    return ramp(value.clip(0, 255).astype(np.uint8), jitter(rng, dark, 12), jitter(rng, light, 12))


def grass(rng: np.random.Generator) -> Rgb:
    return _textured(rng, "grass", (16, 54, 12), (150, 205, 70))


def gravel(rng: np.random.Generator) -> Rgb:
    return _textured(rng, "gravel", (48, 44, 42), (196, 188, 178))


def brick_wall(rng: np.random.Generator) -> Rgb:
    return _textured(rng, "brick", (74, 30, 22), (226, 142, 108))


def _air(rng: np.random.Generator) -> Rgb:
    return ramp(vertical(), jitter(rng, (70, 140, 226), 14), jitter(rng, (190, 220, 246), 8))


def sky(rng: np.random.Generator) -> Rgb:
    cloud = np.clip((noise(rng, 3, 2).astype(np.int32) - 120) * 3, 0, 235).astype(np.uint8)
    return blend(_air(rng), np.full((SIDE, SIDE, 3), 250, np.uint8), cloud)


def _horizon(rng: np.random.Generator) -> int:
    return int(rng.integers(SIDE // 5, SIDE * 2 // 5))


def sea(rng: np.random.Generator) -> Rgb:
    waves = noise(rng, 16, 3)
    water = ramp(waves, jitter(rng, (8, 62, 120), 12), jitter(rng, (70, 158, 190), 12))
    picture, line = _air(rng), _horizon(rng)
    picture[line:] = water[line:]
    return picture


def beach(rng: np.random.Generator) -> Rgb:
    picture, line = sea(rng), SIDE * 9 // 20
    sand = ramp(noise(rng, 8, 4), jitter(rng, (206, 168, 104), 10), jitter(rng, (246, 220, 164), 8))
    shore = line + (noise(rng, 1, 3, octaves=1)[0].astype(np.int32) - 128) * 14 // 128
    below = (np.arange(SIDE)[:, None] > shore[None, :]).astype(np.uint8) * 255
    return blend(picture, sand, blurred(below, 2))


def night_sky(rng: np.random.Generator) -> Rgb:
    picture = ramp(noise(rng, 2, 2), jitter(rng, (8, 10, 38), 6), jitter(rng, (44, 38, 96), 10))
    for _ in range(int(rng.integers(14, 26))):
        x, y = (int(v) for v in rng.integers(4, SIDE - 4, 2))
        cv2.circle(picture, (x, y), int(rng.integers(2, 5)), (250, 248, 220), -1)
    x, y = int(rng.integers(24, SIDE - 24)), int(rng.integers(24, SIDE // 3))
    cv2.circle(picture, (x, y), int(rng.integers(14, 22)), (248, 240, 196), -1)
    return blurred(picture, 1)


def wooden_floor(rng: np.random.Generator) -> Rgb:
    grain = ramp(noise(rng, 32, 2), jitter(rng, (120, 70, 32), 14), jitter(rng, (198, 136, 78), 14))
    picture = grain.astype(np.int32)
    height = int(rng.integers(28, 44))
    for top in range(-int(rng.integers(0, height)), SIDE, height):
        rows = slice(max(0, top), max(0, top + height))
        picture[rows] = picture[rows] * int(rng.integers(82, 108)) // 100
        picture[max(0, top) : max(0, top + 4)] = picture[max(0, top) : max(0, top + 4)] * 45 // 100
    return picture.clip(0, 255).astype(np.uint8)


def snow(rng: np.random.Generator) -> Rgb:
    picture = ramp(vertical(), jitter(rng, (150, 170, 196), 8), jitter(rng, (196, 208, 222), 8))
    line, drift = _horizon(rng), noise(rng, 3, 2, octaves=2)
    ground = ramp(drift, jitter(rng, (202, 216, 236), 6), (253, 254, 255))
    edge = line + (noise(rng, 1, 2, octaves=1)[0].astype(np.int32) - 128) * 20 // 128
    return blend(picture, ground, (np.arange(SIDE)[:, None] > edge[None, :]).astype(np.uint8) * 255)


def mountains(rng: np.random.Generator) -> Rgb:
    picture = _air(rng)
    rows = np.arange(SIDE)[:, None]
    for base, height, colour in ((120, 110, (122, 134, 168)), (165, 90, (84, 106, 116)), (215, 60, (64, 104, 66))):
        ridge = base - (noise(rng, 1, 4, octaves=2)[0].astype(np.int32) - 128) * height // 256
        layer = np.broadcast_to(np.array(jitter(rng, colour, 12), np.uint8), picture.shape)
        picture = blend(picture, layer, (rows > ridge[None, :]).astype(np.uint8) * 255)
    return blurred(picture, 1)


def tablecloth(rng: np.random.Generator) -> Rgb:
    cell = int(rng.integers(30, 46))
    steps = (np.arange(SIDE * 2) // cell % 2).astype(np.int32)
    dy, dx = (int(v) for v in rng.integers(0, 2 * cell, 2))
    checks = (steps[dy : dy + SIDE, None] + steps[None, dx : dx + SIDE]) * 127
    colour: Colour = ((198, 34, 44), (40, 84, 176), (40, 130, 76))[int(rng.integers(0, 3))]
    return blurred(ramp(checks.astype(np.uint8), (248, 244, 238), jitter(rng, colour, 14)), 1)


BACKGROUNDS: dict[str, Painter] = {
    "grass": grass,
    "gravel": gravel,
    "brick wall": brick_wall,
    "sky": sky,
    "sea": sea,
    "beach": beach,
    "night sky": night_sky,
    "wooden floor": wooden_floor,
    "snow": snow,
    "mountains": mountains,
    "tablecloth": tablecloth,
}

# How a caption places an object there.
PLACES: dict[str, str] = {
    "grass": "on the grass",
    "gravel": "on the gravel",
    "brick wall": "in front of a brick wall",
    "sky": "in the sky",
    "sea": "on the sea",
    "beach": "on the beach",
    "night sky": "in the night sky",
    "wooden floor": "on a wooden floor",
    "snow": "in the snow",
    "mountains": "in front of the mountains",
    "tablecloth": "on a checkered tablecloth",
}
