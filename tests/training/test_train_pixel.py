"""The loss of the pixel-space model, written out again, and what its network and schedule promise."""

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler, UNet2DModel
from scipy.stats import norm
from torch import nn

from training.loop import Plan, train
from training.photographs import SIDE
from training.train_pixel import (
    EVEN_SHARE,
    LOG_SIGMA,
    build_pixel_scheduler,
    build_pixel_unet,
    pixel_loss,
    timestep_shares,
)

CPU = torch.device("cpu")


class _Recorder(nn.Module):
    """Keeps what it was asked and answers with zeros."""

    def __init__(self, side: int):
        super().__init__()
        self.config = UNet2DModel(
            sample_size=side,
            block_out_channels=(8, 8),
            down_block_types=("DownBlock2D",) * 2,
            up_block_types=("UpBlock2D",) * 2,
            norm_num_groups=8,
        ).config
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, noisy, t):
        self.noisy, self.t = noisy.float(), t
        return type("Output", (), {"sample": noisy * self.weight})


def test_the_loss_is_velocity_prediction():
    scheduler = build_pixel_scheduler()
    recorder = _Recorder(2)
    pictures = np.full((3, 2, 2, 3), 255, np.uint8)
    pictures[:, :, :1] = 0  # left half black, so that mirroring shows
    loss = pixel_loss(recorder, scheduler, pictures, batch=400, device=CPU)
    value, _ = loss(0, torch.Generator().manual_seed(0))
    alphas = scheduler.alphas_cumprod[recorder.t][:, None, None, None]
    dark_left = torch.tensor([-1.0, 1.0]).expand(400, 3, 2, 2)
    noises = [(recorder.noisy - alphas.sqrt() * clean) / (1 - alphas).sqrt() for clean in (dark_left, -dark_left)]
    # Whether a picture was mirrored is told by which of the two leaves noise of unit size, where little was added.
    clear = recorder.t < 200
    mirrored = noises[0].pow(2).mean((1, 2, 3)) > noises[1].pow(2).mean((1, 2, 3))
    assert 0.3 < mirrored[clear].float().mean() < 0.7
    # The error of an answer of zeros is the velocity itself.
    generator = torch.Generator().manual_seed(0)
    torch.randint(3, (400,), generator=generator), torch.rand(400, generator=generator)
    noise = torch.randn(400, 3, 2, 2, generator=generator)
    told = torch.where(mirrored[:, None, None, None], noises[1], noises[0])[clear]
    torch.testing.assert_close(told, noise[clear], atol=2e-2, rtol=1e-2)
    # which of the two was shown, by the noise that was drawn
    apart = [(told - noise).abs().mean((1, 2, 3)) for told in noises]
    clean = torch.where((apart[0] < apart[1])[:, None, None, None], dark_left, -dark_left)
    squared = (alphas.sqrt() * noise - (1 - alphas).sqrt() * clean).pow(2).mean((1, 2, 3))
    torch.testing.assert_close(value, squared.mean(), atol=1e-5, rtol=1e-4)


def test_timesteps_are_drawn_by_their_noise_level():
    scheduler = build_pixel_scheduler()
    shares = timestep_shares(scheduler)
    assert shares.sum() == pytest.approx(1, abs=1e-5) and shares.min() >= EVEN_SHARE / 1000
    # without the even part: the normal distribution's mass between two noise levels, by scipy
    sigma = ((1 - scheduler.alphas_cumprod) / scheduler.alphas_cumprod).sqrt().numpy()
    uneven = (shares - EVEN_SHARE / 1000).numpy() / (1 - EVEN_SHARE)
    mean, deviation = LOG_SIGMA
    for first, last in ((10, 100), (100, 400)):
        edges = (np.log(sigma[[first, last]]) - mean) / deviation
        whole = norm.cdf((np.log(sigma[[0, -1]]) - mean) / deviation)
        expected = np.diff(norm.cdf(edges)) / np.diff(whole)
        assert uneven[first:last].sum() == pytest.approx(expected[0], rel=1e-3)
    recorder = _Recorder(2)
    loss = pixel_loss(recorder, scheduler, np.zeros((1, 2, 2, 3), np.uint8), batch=4000, device=CPU)
    loss(0, torch.Generator().manual_seed(0))
    assert (recorder.t < 300).float().mean() == pytest.approx(shares[:300].sum().item(), abs=0.03)


def test_a_batch_is_a_function_of_the_step_s_generator():
    pictures = np.random.default_rng(0).integers(0, 256, (5, SIDE, SIDE, 3), np.uint8)
    recorder = _Recorder(SIDE)
    loss = pixel_loss(recorder, build_pixel_scheduler(), pictures, batch=4, device=CPU)
    seen = []
    for seed in (1, 1, 2):
        loss(0, torch.Generator().manual_seed(seed))
        seen.append(recorder.noisy)
    assert seen[0].shape == (4, 3, SIDE, SIDE)
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])


def test_training_lowers_the_loss(tmp_path):
    """One picture, a small network of the same kind: it learns what a constant picture's velocity looks like."""
    torch.manual_seed(0)
    unet = UNet2DModel(
        sample_size=8,
        block_out_channels=(16, 16),
        down_block_types=("DownBlock2D",) * 2,
        up_block_types=("UpBlock2D",) * 2,
        layers_per_block=1,
        norm_num_groups=8,
    )
    loss = pixel_loss(unet, build_pixel_scheduler(), np.full((1, 8, 8, 3), 200, np.uint8), batch=16, device=CPU)
    with torch.no_grad():
        before = float(loss(0, torch.Generator().manual_seed(99))[0])
    plan = Plan(steps=60, lr=3e-3, warmup=5, ema=0.9)
    train(unet, loss, plan=plan, checkpoint=tmp_path / "pixel.safetensors", device=CPU)
    with torch.no_grad():
        after = float(loss(0, torch.Generator().manual_seed(99))[0])
    assert after < 0.5 * before


def test_the_network_and_the_schedule_are_what_they_say():
    unet, scheduler = build_pixel_unet(), build_pixel_scheduler()
    assert 6e6 < sum(p.numel() for p in unet.parameters()) < 10e6
    out = unet(torch.zeros(2, 3, SIDE, SIDE), torch.tensor([0, 999])).sample
    assert out.shape == (2, 3, SIDE, SIDE)
    linear = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000), 0)
    torch.testing.assert_close(scheduler.alphas_cumprod, linear)
    assert not scheduler.config.clip_sample
    scheduler.set_timesteps(100)
    assert isinstance(scheduler, DDPMScheduler)
    assert (int(scheduler.timesteps[0]), int(scheduler.timesteps[-1])) == (999, 0)
