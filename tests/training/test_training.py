"""The training loop: a run that was killed and resumed ends where an uninterrupted one ends."""

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import nn

from spin_bench.mini.saliency_net import SaliencyNet
from training.loop import Plan, train
from training.train_clip import crop_to_subjects
from training.train_unet import build_scheduler
from training.train_vae import draw

PLAN = Plan(steps=30, lr=1e-1, warmup=5, decay=0.5, ema=0.9, checkpoint_seconds=0.0)


class _Killed(Exception):
    pass


def _regression(kill_at: int | None):
    def loss(step: int, generator: torch.Generator):
        if step == kill_at:
            raise _Killed
        x = torch.randn(8, 3, generator=generator)
        return (net(x) - x.sum(1, keepdim=True)).pow(2).mean(), {}

    torch.manual_seed(0)
    net = nn.Linear(3, 1)
    return net, loss


def test_resuming_equals_never_stopping(tmp_path: Path):
    whole, loss = _regression(None)
    train(whole, loss, plan=PLAN, checkpoint=tmp_path / "whole.safetensors", device=torch.device("cpu"))
    for kill_at in (11, 23, None):
        broken, loss = _regression(kill_at)
        try:
            train(broken, loss, plan=PLAN, checkpoint=tmp_path / "broken.safetensors", device=torch.device("cpu"))
        except _Killed:
            continue
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), broken.parameters(), strict=True))
    assert (whole.weight - 1).abs().max() < 0.9  # it learned something
    assert not list(tmp_path.glob("*.tmp"))


def test_the_learning_rate_rises_holds_and_falls():
    plan = Plan(steps=100, lr=1.0, warmup=10, decay=0.4, final_lr=0.1)
    rates = [plan.lr_at(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[10:61] == [1.0] * 51
    assert all(a > b for a, b in pairwise(rates[60:]))
    assert plan.lr_at(100) == pytest.approx(0.1)


def test_batches_mirror_half_of_the_pictures():
    pictures = torch.zeros(1, 4, 4, 3, dtype=torch.uint8)
    pictures[:, :, :2] = 255
    drawn = draw(pictures, 200, torch.Generator().manual_seed(0))
    assert drawn.shape == (200, 3, 4, 4)
    assert set(drawn.unique().tolist()) == {-1.0, 1.0}
    assert 0.35 < (drawn[:, 0, 0, 0] > 0).float().mean() < 0.65


def test_crops_show_the_subject_and_greying_hides_the_rest():
    images, masks = torch.full((2, 3, 64, 64), -1.0), torch.zeros(2, 64, 64, dtype=torch.bool)
    images[:, :, 10:20, 30:50] = 1.0
    masks[:, 10:20, 30:50] = True
    crops = crop_to_subjects(images, masks, torch.tensor([False, True]), torch.Generator().manual_seed(0))
    assert (crops[:, :, 32, 32] > 0.95).all()
    assert crops[0, :, 4, 32].mean() < -0.5
    assert crops[1, :, 4, 32].abs().max() < 1e-4


def test_the_schedule_is_stable_diffusion_s():
    alphas = build_scheduler().alphas_cumprod
    assert float(alphas[0]) == pytest.approx(1 - 0.00085, rel=1e-5)
    assert float(alphas[-1]) == pytest.approx(0.00466, rel=1e-2)


def test_the_saliency_network_keeps_the_size():
    assert SaliencyNet()(torch.zeros(2, 3, 64, 32)).shape == (2, 1, 64, 32)
