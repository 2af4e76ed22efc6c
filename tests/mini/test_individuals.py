"""Individuals: a look that the noun does not tell, the same bytes everywhere."""

from hashlib import sha256

import numpy as np
import pytest
from skimage.color import lab2rgb, rgb2lab

from spin_bench.mini.accessories import ACCESSORIES
from spin_bench.mini.captions import benchmark_prompt, in_words
from spin_bench.mini.cielab import to_lab, to_rgb
from spin_bench.mini.looks import COLOURS, Look, dressed, looks
from spin_bench.mini.parts import parts
from spin_bench.mini.patterns import PATTERNS
from spin_bench.mini.sprites import pixels, sprites
from spin_bench.mini.world import Instance, Placement, Scene, paint

WORN = Look("blue", "striped", layout=2, accessory="hat")
TEAPOT = Scene("grass", 5, "real", (Placement(Instance("teapot", look=WORN), 120, 130, 150),))

# Pictures made on the machine that trained the models; another machine must paint the same bytes.
PAINTED = {
    "real": "a9690ee9a71217bb",
    "cartoon": "6193d5b5a1e494d2",
    "painting": "a46435393515bae5",
    "sketch": "23346b92c0177bb6",
}


@pytest.mark.parametrize("domain", PAINTED)
def test_individuals_are_the_same_bytes_on_every_machine(domain: str):
    scene = Scene(TEAPOT.place, TEAPOT.seed, domain, TEAPOT.objects)
    assert sha256(paint(scene).tobytes()).hexdigest()[:16] == PAINTED[domain]


def test_integer_cielab_is_scikit_image_s():
    colours = np.random.default_rng(0).integers(0, 256, (4000, 3), dtype=np.uint8)
    assert np.abs(to_lab(colours) / 10 - rgb2lab(colours / 255.0)).max() < 1.0
    lab = rgb2lab(colours / 255.0)
    back, inside = to_rgb((lab * 10).round().astype(np.int64))
    assert inside.mean() > 0.95
    assert np.abs(back.astype(int) - (lab2rgb(lab) * 255).round()).max() <= 4
    assert not to_rgb(np.array([[500, 1200, 0]]))[1].any()  # no screen shows it


def test_there_are_enough_looks_and_one_novel_look_a_colour():
    assert len(COLOURS) >= 8 and len(PATTERNS) == 5
    train, novel = looks("train"), looks("novel")
    assert not set(train) & set(novel)
    assert len(train) + len(novel) == len(COLOURS) * len(PATTERNS)
    assert {colour for colour, _ in novel} == {colour for colour, _ in train} == set(COLOURS)
    assert {pattern for _, pattern in novel} == {pattern for _, pattern in train} == set(PATTERNS)


@pytest.mark.parametrize("noun", ["cat", "penguin", "teapot", "rose", "car", "pizza"])
def test_most_of_the_object_takes_its_colour(noun: str):
    """By another library's CIELAB: the median hue of a plain individual is its colour's."""
    for name, colour in COLOURS.items():
        rgb, alpha = dressed(noun, Look(name, "plain"))
        median = np.median(rgb2lab(rgb[alpha > 128] / 255.0), axis=0)
        if name == "black":
            assert median[0] < 40 and np.hypot(*median[1:]) < 12
        else:
            turn = np.angle(complex(*median[1:]) / complex(colour.a, colour.b), deg=True)
            assert abs(turn) < 20, (noun, name, turn)


def test_shading_is_kept():
    """Within the body lightness keeps its order: an individual is recoloured, not filled."""
    before = rgb2lab(pixels("apple")[..., :3] / 255.0)[..., 0]
    after = rgb2lab(dressed("apple", Look("green", "plain"))[0] / 255.0)[..., 0]
    body = (parts("apple").body == 255) & (pixels("apple")[..., 3] > 250)
    assert body.mean() > 0.3
    assert np.corrcoef(before[body], after[body])[0, 1] > 0.75
    assert after[body].std() > 3


@pytest.mark.parametrize("noun", sprites())
def test_looks_stay_inside_the_object_and_leave_the_sprite_alone(noun: str):
    kept = pixels(noun).copy()
    plain, alpha = dressed(noun, Look("red", "plain"))
    assert np.array_equal(alpha, kept[..., 3])
    body = parts(noun).body
    assert (body[alpha > 128] > 128).mean() > 0.6
    for pattern in PATTERNS:
        rgb, _ = dressed(noun, Look("red", pattern, layout=3))
        assert np.array_equal(rgb[body == 0], plain[body == 0])
        changed = (np.abs(rgb.astype(int) - plain) > 20).any(-1)[(alpha > 128) & (body > 128)].mean()
        assert (changed == 0) if pattern == "plain" else (0.1 < changed < 0.75), (pattern, changed)
    assert np.array_equal(pixels(noun), kept)


@pytest.mark.parametrize("accessory", ACCESSORIES)
def test_an_accessory_changes_some_of_the_picture(accessory: str):
    bare, worn = (dressed("owl", Look("green", "plain", accessory=name)) for name in ("", accessory))
    assert not np.array_equal(bare[0], worn[0])
    assert ((bare[1] > 128) & (worn[1] > 128)).mean() > 0.35


def test_an_individual_in_words():
    look = {"colour": True, "pattern": True}
    assert in_words(Instance("teapot", look=WORN), **look) == "a blue striped teapot"
    assert in_words(Instance("teapot", look=Look("orange", "plain")), **look) == "a plain orange teapot"
    assert in_words(Instance("owl", look=Look("orange", "plain")), colour=True) == "an orange owl"
    assert in_words(Instance("owl", look=WORN)) == "an owl"
    assert benchmark_prompt(TEAPOT) == "a professional photograph of a teapot on the grass, ultra realistic"
