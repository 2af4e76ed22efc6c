"""Uni-paint's exemplar: where it lies, and how it is shrunk."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from written_out import bilinear

from spin_bench.diffusion.exemplar import Box, Placement, draw_placement, mask_box, place


def test_a_square_lies_in_the_box_or_its_mirror_image():
    box, generator = Box(20, 5, 50, 25), torch.Generator().manual_seed(0)
    drawn = [draw_placement(box, generator, swap_axes=False) for _ in range(2000)]
    assert {p.side for p in drawn} == set(range(8, 18))  # 0.4 to 0.9 of the shorter side, 20
    assert min(p.left for p in drawn) == 20
    assert max(p.left + p.side for p in drawn) == 49  # the last place is not drawn, as in the authors' code
    assert min(p.top for p in drawn) == 5
    assert max(p.top + p.side for p in drawn) == 24
    assert 0.45 < np.mean([p.flipped for p in drawn]) < 0.55
    generator.manual_seed(0)
    swapped = [draw_placement(box, generator, swap_axes=True) for _ in range(2000)]
    assert swapped == [replace(p, top=p.left, left=p.top) for p in drawn]


def test_the_box_is_that_of_the_largest_part():
    mask = Image.new("L", (64, 64))
    mask.paste(255, (4, 40, 8, 44))
    mask.paste(255, (10, 20, 30, 33))
    assert mask_box(mask) == Box(10, 20, 30, 33)
    assert mask_box(Image.new("L", (64, 64), 255)) == Box(0, 0, 63, 63)


@pytest.mark.parametrize("flipped", [False, True])
def test_the_exemplar_is_shrunk_onto_grey(flipped: bool):
    exemplar = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    canvas, cover = place(exemplar, Placement(top=4, left=11, side=9, flipped=flipped))
    expected = torch.stack([bilinear(channel, 9) for channel in exemplar[0]])
    square = canvas[0, :, 4:13, 11:20]
    torch.testing.assert_close(square.flip(-1) if flipped else square, expected, atol=1e-5, rtol=1e-5)
    assert cover[0, 0, 4:13, 11:20].all()
    assert cover.sum() == 81
    assert not (canvas * (1 - cover)).any()
