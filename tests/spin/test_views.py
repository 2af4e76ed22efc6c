"""What the extraction sees of a reference."""

import pytest
import torch

from spin_bench.spin.views import COUNT, View, views_of

SIDE, CELLS = 32, 8


@pytest.fixture
def view() -> View:
    """Noise, with a salient box of 8 x 8 px in one colour."""
    image = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) * 2 - 1
    cells = torch.zeros(1, 1, CELLS, CELLS)
    cells[..., 1:3, 4:6] = 1
    image[..., 4:12, 16:24] = torch.tensor([0.5, -0.25, 0.75]).view(1, 3, 1, 1)
    return View(image, cells)


def _one(view: View, non_salient: str) -> View:
    (seen,) = views_of(view, non_salient=non_salient, augmentation="none", seed=0)
    return seen


def test_what_surrounds_may_be_kept_or_grey(view: View):
    outside = (view.cover == 0).expand_as(view.image)
    assert torch.equal(_one(view, "kept").image, view.image)
    grey = _one(view, "grey")
    assert grey.image[outside].abs().max() == 0
    assert torch.equal(grey.image[~outside], view.image[~outside])
    assert torch.equal(grey.cells, view.cells)


def test_a_crop_is_the_salient_square_enlarged(view: View):
    cropped = _one(view, "cropped")
    assert torch.equal(cropped.cells, torch.ones_like(view.cells))
    inner = cropped.image[..., 8:-8, 8:-8]  # bicubic reads two pixels, of four each, beyond the box
    torch.testing.assert_close(inner, view.image[..., 8:9, 20:21].expand_as(inner), atol=1e-4, rtol=0)
    nothing = View(view.image, torch.zeros_like(view.cells))
    assert torch.equal(_one(nothing, "cropped").image, view.image)


def test_flips_mirror_picture_and_map_alike(monkeypatch: pytest.MonkeyPatch):
    """A picture that is white and salient on its left, black and not on its right; never shrunk."""
    monkeypatch.setattr("spin_bench.spin.views.SCALES", (1.0, 1.0))
    image, cells = -torch.ones(1, 3, SIDE, SIDE), torch.zeros(1, 1, CELLS, CELLS)
    image[..., : SIDE // 2] = 1
    cells[..., : CELLS // 2] = 1
    views = views_of(View(image, cells), non_salient="kept", augmentation="flip_scale_shift", seed=3)
    flipped = [bool(one.image[0, 0, 0, -1] > 0) for one in views]
    assert len(views) == COUNT
    assert 0 < sum(flipped) < COUNT
    for one, mirrored in zip(views, flipped, strict=True):
        assert torch.equal(one.cells, cells.flip(-1) if mirrored else cells)
        torch.testing.assert_close(one.image, image.flip(-1) if mirrored else image, atol=1e-5, rtol=0)


def test_a_shrunk_view_lies_whole_on_grey(view: View):
    """The picture as one block: its area is the map's, its place too, and nothing else is there."""
    block = View(torch.ones(1, 3, SIDE, SIDE), torch.ones(1, 1, CELLS, CELLS))
    areas = set()
    for one in views_of(block, non_salient="kept", augmentation="flip_scale_shift", seed=0):
        lit = (one.image[0, 0] > 0.5).float()
        area = float(lit.mean())
        areas.add(round(area, 3))
        assert 0.6**2 - 0.05 < area <= 1
        assert float(one.cells.mean()) == pytest.approx(area, abs=0.15)
        for axis in (0, 1):
            where = torch.linspace(-1, 1, SIDE) @ lit.mean(axis) / lit.mean(axis).sum()
            cells = torch.linspace(-1, 1, CELLS) @ one.cells[0, 0].mean(axis) / one.cells.mean(dim=(0, 1))[0].numel()
            cells = cells * CELLS / one.cells[0, 0].mean(axis).sum()
            assert float(where) == pytest.approx(float(cells), abs=0.15)
    assert len(areas) > 3
