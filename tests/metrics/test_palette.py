"""The palette distance against scipy's earth mover's distance, closed forms and pictures of known colours."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from metric_values import values_of
from PIL import Image
from scipy.stats import wasserstein_distance

from spin_bench.core.case import Case
from spin_bench.metrics.palette import painted_colours, sliced_distance
from spin_bench.mini.looks import COLOURS, Look, dressed
from spin_bench.models.stack import Stack

RNG = np.random.default_rng(0)


def _mean_over_random_directions(a, a_weights, b, b_weights, count: int = 4000) -> float:
    vectors = RNG.normal(size=(count, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return 2 * np.mean([wasserstein_distance(a @ v, b @ v, a_weights, b_weights) for v in vectors])


def test_it_is_the_mean_of_scipy_s_distance_over_the_sphere():
    a, b = RNG.normal(0, 20, (70, 3)), RNG.normal(15, 30, (45, 3))
    a_weights, b_weights = RNG.random(70) + 0.01, RNG.random(45) + 0.01
    expected = _mean_over_random_directions(a, a_weights, b, b_weights)
    assert sliced_distance(a, a_weights, b, b_weights) == pytest.approx(expected, rel=0.03)


def test_colours_moved_by_a_vector_are_as_far_as_it_is_long():
    colours, weights = RNG.normal(0, 25, (200, 3)), RNG.random(200)
    for shift in ([30, 0, 0], [0, -25, 10], [5, 5, 5]):
        distance = sliced_distance(colours, weights, colours + shift, 3 * weights)
        assert distance == pytest.approx(np.linalg.norm(shift), rel=0.02)
    assert sliced_distance(colours, weights, colours, weights) == pytest.approx(0, abs=1e-9)
    assert np.isnan(sliced_distance(colours, weights, colours[:0], weights[:0]))


def _case(background: Image.Image, reference: Image.Image, reference_mask: Image.Image | None) -> Case:
    mask = Image.new("L", (64, 64), 0)
    mask.paste(255, (12, 12, 52, 52))
    return Case("real-0001", "real", "a photo", background, mask, reference, reference_mask)


def _worn(look: Look) -> tuple[Image.Image, Image.Image]:
    rgb, alpha = dressed("teapot", look)
    return Image.fromarray(rgb), Image.fromarray(alpha)


def _scene(look: Look | None, side: int = 36) -> Image.Image:
    """A green gradient, and on it the teapot."""
    ramp = np.linspace(60, 140, 64).astype(np.uint8)
    canvas = Image.fromarray(
        np.stack([np.tile(ramp // 3, (64, 1)), np.tile(ramp, (64, 1)), np.tile(ramp // 2, (64, 1))], -1)
    )
    if look:
        picture, alpha = (layer.resize((side, side)) for layer in _worn(look))
        canvas.paste(picture, (14, 14), alpha)
    return canvas


def _reference(look: Look) -> tuple[Image.Image, Image.Image]:
    picture, alpha = _worn(look)
    photo = Image.new("RGB", picture.size, (150, 90, 40))
    photo.paste(picture, (0, 0), alpha)
    return photo, alpha.point(lambda level: 255 * (level > 127))


def test_an_individual_is_nearer_to_itself_than_to_its_kind_in_another_colour(stack: Stack):
    own = Look("red", "striped")
    case = _case(_scene(None), *_reference(own))
    near = values_of("palette_fg", [case], [_scene(own)], stack).item()
    far = [
        values_of("palette_fg", [case], [_scene(Look(name, "striped"))], stack).item()
        for name in COLOURS
        if name != "red"
    ]
    assert near < 12 and min(far) > 1.5 * near


def test_the_reference_s_surroundings_do_not_count_where_its_mask_is_known(stack: Stack):
    own = Look("blue", "plain")
    photo, mask = _reference(own)
    other = Image.composite(photo, Image.new("RGB", photo.size, (250, 10, 10)), mask)
    cases = [_case(_scene(None), photo, mask), replace(_case(_scene(None), other, mask), id="real-0002")]
    one, two = values_of("palette_fg", cases, [_scene(own)] * 2, stack).tolist()
    assert one == pytest.approx(two, abs=0.5)
    maskless = values_of("palette_fg", [_case(_scene(None), other, None)], [_scene(own)], stack).item()
    assert maskless > one + 5


def test_what_looks_like_the_scene_weighs_next_to_nothing():
    scene, full = (
        torch.from_numpy(np.array(_scene(look))).permute(2, 0, 1)[None] / 127.5 - 1
        for look in (None, Look("red", "plain"))
    )
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 12:52, 12:52] = 1
    _, weights = painted_colours(full, scene, mask)
    _, untouched = painted_colours(scene, scene, mask)
    alpha = np.asarray(_worn(Look("red", "plain"))[1].resize((36, 36))) > 127
    assert weights.sum() == pytest.approx(alpha.sum(), rel=0.2)
    assert untouched.sum() < 3


def test_a_larger_picture_has_the_same_palette(stack: Stack):
    own = Look("purple", "dotted")
    case = _case(_scene(None), *_reference(own))
    painted = _scene(Look("orange", "dotted"))
    small = values_of("palette_fg", [case], [painted], stack).item()
    grown = [picture.resize((256, 256), Image.Resampling.BICUBIC) for picture in (case.background, case.mask, painted)]
    large = replace(case, background=grown[0], mask=grown[1].point(lambda level: 255 * (level > 127)))
    assert values_of("palette_fg", [large], [grown[2]], stack).item() == pytest.approx(small, abs=3)
