"""The views that CLIP sees, against SciPy and OpenCV."""

import cv2
import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates
from small_pixels import seeded_noise

from spin_bench.diffusion.augment import affine, augmented, perspective, warp, warp_once

# --- the views


def _places(matrix: np.ndarray, side: int) -> np.ndarray:
    """Rows and columns of the picture that a view shows, for `map_coordinates`."""
    centres = (2 * np.arange(side) + 1) / side - 1
    x, y = np.meshgrid(centres, centres)
    places = matrix @ np.stack([x.ravel(), y.ravel(), np.ones(side * side)])
    return ((places[:2] / places[2] + 1) * side / 2 - 0.5)[::-1].reshape(2, side, side)


def test_a_turned_and_shifted_view_is_scipy_s():
    picture = seeded_noise(0, 1, 1, 20, 20)
    numbers = torch.tensor([[0.9, 0.2, 0.75]])  # 12 degrees, kornia's quirk: no shift in x, 0.05 of the side in y
    view = warp(picture, torch.tensor([True]), affine(numbers), padding="border")[0, 0]
    turn = np.exp(-1j * np.radians(12))  # back to the picture
    matrix = np.array([[turn.real, -turn.imag, 0], [turn.imag, turn.real, 0], [0, 0, 1]])
    matrix = matrix @ np.array([[1, 0, 0], [0, 1, -2 * 0.05], [0, 0, 1]])
    expected = map_coordinates(picture[0, 0].numpy(), _places(matrix, 20), order=1, mode="nearest")
    np.testing.assert_allclose(view.numpy(), expected, atol=1e-4)


def test_a_view_in_perspective_is_opencv_s():
    picture, numbers = seeded_noise(0, 5, 1, 20, 20), torch.rand(5, 4, 2, generator=torch.Generator().manual_seed(1))
    views = warp(picture, torch.ones(5, dtype=torch.bool), perspective(numbers), padding="zeros")
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
    for view, before, inwards in zip(views, picture, numbers.numpy(), strict=True):
        matrix = cv2.getPerspectiveTransform(square * (1 - np.float32(0.7) * inwards), square)
        expected = map_coordinates(before[0].numpy(), _places(matrix, 20), order=1, mode="grid-constant")
        np.testing.assert_allclose(view[0].numpy(), expected, atol=2e-3)


def test_two_movements_at_once_are_scipy_s_at_the_composed_places():
    pictures, numbers = seeded_noise(0, 2, 1, 20, 20), torch.rand(6, 11, generator=torch.Generator().manual_seed(1))
    turns, bends = affine(numbers[:, :3]), perspective(numbers[:, 3:].view(-1, 4, 2))
    views = warp_once(pictures, turns, bends).flatten(0, 1)
    for k, view in enumerate(views):
        bent = _places(bends[k].double().numpy(), 20)[::-1]  # x and y again
        x, y = (2 * bent + 1) / 20 - 1
        places = turns[k].double().numpy() @ np.stack([x.ravel(), y.ravel(), np.ones(400)])
        rows_and_columns = ((places[:2] + 1) * 10 - 0.5)[::-1].reshape(2, 20, 20)
        picture = pictures[k % 2, 0].double().numpy()
        expected = map_coordinates(picture, rows_and_columns, order=1, mode="nearest")
        outside = np.maximum(abs(x), abs(y)) > 1
        assert 0 < outside.sum() < 400
        expected[outside] = 0
        np.testing.assert_allclose(view[0].numpy(), expected, atol=1e-3)


def test_one_movement_is_the_same_at_once():
    """But for a bent picture's edge, which fades over a pixel there and is cut here."""
    images, numbers = seeded_noise(0, 4, 3, 16, 16), torch.rand(4, 11, generator=torch.Generator().manual_seed(1))
    turns, bends = affine(numbers[:, :3]), perspective(numbers[:, 3:].view(-1, 4, 2))
    still, every = torch.eye(3).expand(4, 3, 3), torch.ones(4, dtype=torch.bool)
    turned = warp_once(images, turns, still)[0]
    torch.testing.assert_close(turned, warp(images, every, turns, padding="border"), atol=1e-5, rtol=1e-4)
    bent, expected = warp_once(images, still, bends)[0], warp(images, every, bends, padding="zeros")
    inside = warp(torch.ones_like(images), every, bends, padding="zeros") > 1 - 1e-6
    assert 0.2 < inside.float().mean() < 0.9
    torch.testing.assert_close(bent[inside], expected[inside], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("resample_once", [False, True])
def test_views_are_drawn_as_published(resample_once: bool):
    images = seeded_noise(0, 100, 1, 6, 6)
    generators = [torch.Generator().manual_seed(k) for k in range(100)]
    views = augmented(images, generators, copies=21, side=6, resample_once=resample_once)
    assert torch.equal(views[0], images)
    same = torch.isclose(views[1:], images, atol=1e-4).flatten(2).all(2)
    assert abs(same.float().mean() - 0.3 * 0.3) < 4 * (0.09 * 0.91 / 2000) ** 0.5
    assert views[1:].isfinite().all()
    assert views.abs().max() <= images.abs().max() + 1e-5  # bilinear: nothing is made up


@pytest.mark.parametrize("resample_once", [False, True])
@pytest.mark.parametrize("side", [12, 32])
def test_views_belong_to_their_image_and_gradients_reach_every_pixel(side: int, resample_once: bool):
    options = {"copies": 8, "side": side, "resample_once": resample_once}
    images = seeded_noise(0, 3, 3, 16, 16).requires_grad_()
    views = augmented(images, [torch.Generator().manual_seed(k) for k in (1, 2, 3)], **options)
    assert views.shape == (8, 3, 3, side, side)
    alone = augmented(images[1:2], [torch.Generator().manual_seed(2)], **options)
    assert torch.equal(views[:, 1:2], alone)
    assert not torch.equal(views[1, 0], views[2, 0])
    (gradient,) = torch.autograd.grad(views[:, 1].sum(), images)
    assert (gradient[1] > 0).all()
    assert gradient[[0, 2]].abs().max() == 0


def test_pixels_are_repeated_or_averaged():
    images = seeded_noise(0, 2, 3, 16, 16)
    for side in (4, 12, 16, 32):
        views = augmented(images, [torch.Generator()] * 2, copies=1, side=side)
        assert len(views) == 1
        assert torch.equal(views[0], torch.nn.functional.adaptive_avg_pool2d(images, side))
