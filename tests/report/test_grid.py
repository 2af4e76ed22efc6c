"""The grid: every tile in its place, nothing cut off."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spin_bench.report.about import AboutCase
from spin_bench.report.grid import GridRow, write_grid
from spin_bench.report.render import spread


def box_of(page: np.ndarray, colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom (exclusive) of the pixels of exactly this colour, which fill their box."""
    ys, xs = np.nonzero((page == colour).all(-1))
    left, top, right, bottom = xs.min(), ys.min(), xs.max() + 1, ys.max() + 1
    assert len(xs) == (right - left) * (bottom - top)
    return int(left), int(top), int(right), int(bottom)


@pytest.mark.parametrize("tile", [48, 160])
def test_grid_puts_every_tile_in_its_place(tmp_path: Path, tile: int):
    colours = [[(40 * c + 20, 200 * r + 10, 77) for c in range(5)] for r in range(2)]
    rows = [
        GridRow(f"a case with a title {r}", tuple(Image.new("RGB", (64, 64), colour) for colour in line))
        for r, line in enumerate(colours)
    ]
    path = tmp_path / "grid.png"
    write_grid(path, rows, ["Background", "Mask", "Reference", "Spin", "Uni"], tile=tile)
    page = np.asarray(Image.open(path))
    boxes = [[box_of(page, colour) for colour in line] for line in colours]
    for line in boxes:
        assert all((right - left, bottom - top) == (tile, tile) for left, top, right, bottom in line)
        assert len({top for _, top, _, _ in line}) == 1
        gaps = [after[0] - before[2] for before, after in pairwise(line)]
        assert min(gaps) >= 2 and gaps[2] > gaps[0] == gaps[1] == gaps[3]  # the inputs stand apart
    assert [box[0] for box in boxes[0]] == [box[0] for box in boxes[1]]
    assert boxes[1][0][1] > boxes[0][0][3]
    write_grid(tmp_path / "again.png", rows, ["Background", "Mask", "Reference", "Spin", "Uni"], tile=tile)
    assert (tmp_path / "again.png").read_bytes() == path.read_bytes()


def test_grid_cuts_nothing_off(tmp_path: Path):
    title = "an oil painting of a very small banana " * 8 + "x" * 90
    rows = [GridRow(title, (Image.new("RGB", (64, 64), (9, 99, 9)),)), GridRow("b", (None,))]
    write_grid(tmp_path / "long.png", rows, ["one head that needs several lines at any readable size"], tile=96)
    write_grid(tmp_path / "short.png", [replace(row, title="b") for row in rows], ["one"], tile=96)
    page, short = (np.asarray(Image.open(tmp_path / name)) for name in ("long.png", "short.png"))
    assert page.shape[0] > 1.5 * short.shape[0] and page.shape[1] == short.shape[1]
    dark = np.all(page < 128, axis=-1)
    for axis, size in zip(np.nonzero(dark), dark.shape, strict=True):
        assert axis.min() >= 8 and axis.max() < size - 8  # the margin stays white
    left, top, right, _ = box_of(page, (9, 99, 9))
    assert dark[:top, left:right].any() and not dark[:, right:].any()
    assert not dark[:, left - 6 : left - 1].any()  # the title ends before the pictures


def test_grid_fits_pictures_of_any_kind(tmp_path: Path):
    wide = Image.new("RGB", (300, 150), (200, 30, 30))
    full = Image.new("L", (64, 64), 255)
    clear = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    clear.paste((30, 30, 200, 255), (0, 0, 64, 32))
    write_grid(tmp_path / "g.png", [GridRow("", (wide, full, None, clear))], ["a", "b", "c", "d"], tile=128)
    page = np.asarray(Image.open(tmp_path / "g.png"))
    left, top, right, bottom = box_of(page, (200, 30, 30))
    assert (right - left, bottom - top) == (128, 64)
    mask = page[top - 34 : bottom + 34, right + 1 : right + 150]
    assert (mask == 200).all(-1).sum() == 4 * 129  # an outline, or nobody would see where a full mask ends
    grey = (page == 239).all(-1)
    assert 0.98 * 128**2 < grey.sum() < 128**2  # the missing tile, less its dash
    blue = (page == (30, 30, 200)).all(-1)
    ys, xs = np.nonzero(blue)
    assert page[ys.max() + 20, xs.min() + 20].tolist() == [255, 255, 255]  # see-through is paper, not black


def test_small_pictures_are_enlarged_smoothly(tmp_path: Path):
    edge = Image.new("RGB", (32, 32), (90, 90, 90))
    edge.paste((10, 10, 210), (16, 0, 32, 32))
    write_grid(tmp_path / "g.png", [GridRow("", (edge,))], ["a"], tile=160)
    blue = np.asarray(Image.open(tmp_path / "g.png"))[100, :, 2]
    assert np.unique(blue[(blue > 95) & (blue < 205)]).size >= 3  # NEAREST would have none in between


def test_grid_with_a_wrong_number_of_tiles_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="'b' has 2 tiles for 1 columns"):
        write_grid(tmp_path / "g.png", [GridRow("b", (None, None))], ["a"])


@pytest.mark.parametrize(("cases", "count"), [(64, 12), (13, 12), (12, 12), (8, 12), (1, 12), (95, 4)])
def test_the_grid_s_cases_are_spread_through_the_run(cases: int, count: int):
    of_run = [AboutCase(f"real-{k:04}", "real", "a prompt") for k in range(cases)]
    places = [of_run.index(case) for case in spread(of_run, count)]
    assert len(places) == min(cases, count)
    assert places[0] == 0
    steps = np.diff([*places, cases])  # as far to the end as from one to the next
    assert set(steps) <= {cases // len(places), -(-cases // len(places))}
