"""The views that CLIP sees, against SciPy and OpenCV."""

import cv2
import numpy as np
import torch
from scipy.ndimage import map_coordinates
from small_pixels import seeded_noise

from spin_bench.diffusion.augment import affine, augmented, perspective, warp

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


def test_views_are_drawn_as_published():
    images = seeded_noise(0, 100, 1, 6, 6)
    generators = [torch.Generator().manual_seed(k) for k in range(100)]
    views = augmented(images, generators, copies=21, side=6)
    assert torch.equal(views[0], images)
    same = (views[1:] == images).flatten(2).all(2)
    assert abs(same.float().mean() - 0.3 * 0.3) < 4 * (0.09 * 0.91 / 2000) ** 0.5
    assert views[1:].isfinite().all()
    assert views.abs().max() <= images.abs().max() + 1e-5  # bilinear: nothing is made up


def test_views_belong_to_their_image_and_gradients_reach_every_pixel():
    images = seeded_noise(0, 3, 3, 16, 16).requires_grad_()
    views = augmented(images, [torch.Generator().manual_seed(k) for k in (1, 2, 3)], copies=8, side=12)
    assert views.shape == (8, 3, 3, 12, 12)
    alone = augmented(images[1:2], [torch.Generator().manual_seed(2)], copies=8, side=12)
    assert torch.equal(views[:, 1:2], alone)
    assert not torch.equal(views[1, 0], views[2, 0])
    (gradient,) = torch.autograd.grad(views[:, 1].sum(), images)
    assert (gradient[1] > 0).all()
    assert gradient[[0, 2]].abs().max() == 0
