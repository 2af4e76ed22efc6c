"""Where painting starts and what is put back."""

import torch

from spin_bench.diffusion.sampler import Step
from spin_bench.models.stack import Stack
from spin_bench.spin.transitions import BLENDINGS, PASTES, STARTS, feathered


def test_starts(stack: Stack):
    generator = torch.Generator().manual_seed(0)
    background, noise = torch.randn(1, 4, 8, 8, generator=generator), torch.randn(2, 4, 8, 8, generator=generator)
    assert torch.equal(STARTS["noise"](background, noise, stack.scheduler, 10), noise)
    alphas = torch.cumprod(1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2, 0)
    alpha = alphas[901]  # the first of ten
    expected = alpha.sqrt() * background + (1 - alpha).sqrt() * noise
    torch.testing.assert_close(STARTS["background"](background, noise, stack.scheduler, 10), expected)


def test_the_level_of_the_background():
    step = Step(0, 500, 480, *[torch.zeros(1)] * 4)
    assert [BLENDINGS[name](step) for name in ("next", "current", "none")] == [480, 500, None]


def test_a_feathered_paste_goes_from_one_picture_to_the_other():
    painted, background = torch.ones(1, 3, 64, 64), -torch.ones(1, 3, 64, 64)
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 16:48, 16:48] = 1
    row = feathered(painted, background, mask)[0, 0, 32]
    assert (row[:9] == -1).all()
    assert (row[23:41] > 1 - 1e-4).all()
    assert (row[9:23].diff() > 0).all()
    assert abs(float(row[15] + row[16])) < 1e-5  # half and half at the border
    assert torch.equal(PASTES["paste"](painted, background, mask)[0, 0, 32], 2 * mask[0, 0, 32] - 1)
    assert PASTES["none"](painted, background, mask) is painted
