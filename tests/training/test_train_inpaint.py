"""How the embedded inpainting model is trained: its masks, what its UNet is told, and that the loss can be learned."""

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel
from small_corpus import small_corpus, small_text_encoder
from torch import Tensor

from spin_bench.models.stack import Stack
from training.inpaint_masks import (
    GROWTH,
    SHARES,
    brushes,
    dilated,
    filled,
    grown,
    inpaint_masks,
    rectangles,
    subject_boxes,
)
from training.loop import Plan, autocast, train
from training.tokenizer import build_tokenizer
from training.train_inpaint import Scenes, inpaint_loss, widened
from training.train_unet import build_scheduler, min_snr_weights, tokenise
from training.train_vae import as_images, encode_corpus

CPU = torch.device("cpu")


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _masks(subject: Tensor, count: int) -> Tensor:
    """`count` masks of one scene, batch by batch as in training."""
    generator = _generator()
    return torch.cat([inpaint_masks(subject.expand(100, -1, -1), generator) for _ in range(count // 100)])


def _disk(n: int, side: int = 64, radius: int = 18) -> Tensor:
    grid = torch.arange(side) - 30
    return (grid[:, None] ** 2 + grid[None] ** 2 <= radius**2).expand(n, -1, -1)


def _kind(mask: np.ndarray, subject: np.ndarray) -> str:
    """Which kind of mask this is, told from the picture alone."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    boxed = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
    if mask.all():
        return "full"
    if boxed:
        return "box" if mask[subject].all() else "rectangle"
    return "subject" if mask[subject].all() else "brush"


def test_masks_come_in_their_shares():
    subject = _disk(1)
    masks = _masks(subject, 3000)
    assert masks.shape == (3000, 1, 64, 64)
    assert set(masks.unique().tolist()) == {0.0, 1.0}
    assert masks.flatten(1).any(1).all()
    kinds = [_kind(mask, subject[0].numpy()) for mask in masks[:, 0].bool().numpy()]
    for kind, share in SHARES.items():
        assert np.mean([found == kind for found in kinds]) == pytest.approx(share, abs=0.03)  # three deviations


def test_an_empty_scene_gets_a_rectangle_where_another_gets_its_subject():
    masks = _masks(torch.zeros(1, 64, 64, dtype=torch.bool), 2000)[:, 0].bool().numpy()
    kinds = [_kind(mask, np.ones((64, 64), bool)) for mask in masks]
    share = SHARES["rectangle"] + SHARES["box"] + SHARES["subject"]
    assert np.mean([kind == "rectangle" for kind in kinds]) == pytest.approx(share, abs=0.03)


def test_masks_are_a_function_of_the_generator():
    subjects = _disk(8)
    assert torch.equal(inpaint_masks(subjects, _generator(3)), inpaint_masks(subjects, _generator(3)))
    assert not torch.equal(inpaint_masks(subjects, _generator(3)), inpaint_masks(subjects, _generator(4)))


def test_boxes_are_those_of_numpy_and_grow_by_their_share():
    subjects = torch.from_numpy(small_corpus().masks)
    boxes = subject_boxes(subjects)
    for box, subject in zip(boxes.tolist(), subjects.numpy(), strict=True):
        rows, columns = np.nonzero(subject)
        expected = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1] if len(rows) else [0] * 4
        assert box == expected
    boxes = torch.tensor([[20, 10, 50, 20]]).expand(500, -1)
    margins = (grown(boxes, _generator()) - boxes) * torch.tensor([-1, -1, 1, 1])
    most = torch.tensor([30, 10, 30, 10]) * GROWTH
    assert margins.amin(0).tolist() == [0] * 4
    assert margins.amax(0).tolist() == most.round().tolist()
    assert filled(torch.tensor([[-3, 2, 4, 99]]), 8)[0].nonzero().tolist() == [
        [row, column] for row in range(2, 8) for column in range(4)
    ]


def test_a_dilation_is_opencv_s():
    masks = torch.from_numpy(small_corpus().masks[:6])
    radii = torch.tensor([0, 1, 2, 5, 9, 12])
    for mask, radius, got in zip(masks.numpy(), radii.tolist(), dilated(masks, radii).numpy(), strict=True):
        kernel = np.ones((2 * radius + 1,) * 2, np.uint8)
        assert np.array_equal(got, cv2.dilate(mask.astype(np.uint8), kernel) > 0)


def test_rectangles_lie_inside_and_strokes_are_connected():
    for mask in rectangles(200, 64, _generator()).numpy():
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        assert mask.sum() == len(rows) * len(columns)
        assert all(0.2 * 64 - 1 <= len(span) <= 0.8 * 64 + 1 for span in (rows, columns))
    strokes = brushes(200, 64, _generator()).numpy()
    assert all(cv2.connectedComponents(stroke.astype(np.uint8))[0] == 2 for stroke in strokes)
    assert 0.05 < strokes.mean() < 0.4


def test_mirrored_rows_are_mirrored_in_every_column(stack: Stack):
    corpus = small_corpus()
    n = len(corpus.captions)
    scenes = Scenes.of(corpus, encode_corpus(stack.vae, torch.from_numpy(corpus.pictures), CPU))
    rows = torch.arange(n)
    assert torch.equal(scenes.images(rows), as_images(torch.from_numpy(corpus.pictures)))
    assert torch.equal(scenes.images(rows + n), scenes.images(rows).flip(-1))
    assert torch.equal(scenes.masks(rows), torch.from_numpy(corpus.masks))
    assert torch.equal(scenes.masks(rows + n), scenes.masks(rows).flip(-1))
    for side in (rows, rows + n):
        with torch.no_grad():
            latents = stack.vae.encode(scenes.images(side)).latent_dist.mean * stack.vae.config.scaling_factor
        own = (scenes.latents[side].float() - latents).abs().mean()
        other = (scenes.latents[(side + n) % (2 * n)].float() - latents).abs().mean()
        assert own < 0.1 * other


@torch.no_grad()
def test_the_loss_is_the_weighted_error_of_what_the_unet_is_told(stack: Stack):
    """A UNet that predicts no noise, so the loss is the noise itself, worked out from what the UNet was shown."""
    corpus, scheduler, batch = small_corpus(), build_scheduler(), 32
    pictures = torch.from_numpy(corpus.pictures)
    latents = encode_corpus(stack.vae, pictures, CPU)
    ids, empty = tokenise(stack.tokenizer, corpus.captions), tokenise(stack.tokenizer, [""])
    shown = SimpleNamespace()

    def unet(inputs: Tensor, t: Tensor, encoder_hidden_states: Tensor):
        shown.inputs, shown.t, shown.states = inputs, t, encoder_hidden_states.float()
        return SimpleNamespace(sample=torch.zeros_like(inputs[:, :4]))

    loss = inpaint_loss(
        unet, stack.text_encoder, stack.vae, scheduler, corpus, latents, ids, empty, batch=batch, device=CPU
    )
    value, parts = loss(0, _generator(7))

    generator = _generator(7)
    chosen = torch.randint(2 * len(pictures), (batch,), generator=generator)
    images = torch.stack([as_images(pictures[i % 24][None])[0].flip(-1) if i >= 24 else as_images(pictures[i][None])[0]
                          for i in chosen.tolist()])  # fmt: skip
    subjects = torch.from_numpy(np.stack([corpus.masks[i % 24][:, :: -1 if i >= 24 else 1] for i in chosen.tolist()]))
    masks = inpaint_masks(subjects, generator)
    assert torch.equal(shown.inputs[:, 4:5], masks[:, :, ::4, ::4])
    holed = torch.where(masks > 0, torch.zeros(()), images)
    with autocast(CPU):
        expected = stack.vae.encode(holed).latent_dist.mean.float() * stack.vae.config.scaling_factor
        captions = stack.text_encoder(ids[chosen % 24]).last_hidden_state.float()
        nothing = stack.text_encoder(empty).last_hidden_state.float()
    torch.testing.assert_close(shown.inputs[:, 5:], expected, atol=0.05, rtol=0.05)  # sums of bfloat16
    captioned = (shown.states - captions).flatten(1).norm(dim=1) < (shown.states - nothing).flatten(1).norm(dim=1)
    assert 0.75 <= captioned.float().mean() < 1

    alphas = torch.cumprod(1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2, 0)[shown.t]
    clean = latents[chosen].float()
    column = alphas[:, None, None, None]
    noise = (shown.inputs[:, :4] - column.sqrt() * clean) / (1 - column).sqrt()
    snr = alphas / (1 - alphas)
    error = noise.pow(2).mean((1, 2, 3))
    assert float(value) == pytest.approx(float((torch.minimum(snr, torch.tensor(5.0)) / snr * error).mean()), rel=1e-3)
    assert parts["mse"] == pytest.approx(float(error.mean()), rel=1e-3)
    assert 0.9 < parts["mse"] < 1.1  # standard normal


def test_weights_stop_growing_at_a_ratio_of_five():
    scheduler = build_scheduler()
    weights = min_snr_weights(scheduler, CPU)
    snr = scheduler.alphas_cumprod / (1 - scheduler.alphas_cumprod)
    assert torch.equal(weights[snr <= 5], torch.ones(int((snr <= 5).sum())))
    torch.testing.assert_close((weights * snr)[snr > 5], torch.full((int((snr > 5).sum()),), 5.0))


@torch.no_grad()
def test_a_widened_unet_is_the_narrow_one_whatever_it_is_told_beside(small_unet: UNet2DConditionModel):
    torch.manual_seed(1)
    latents, beside, states = torch.randn(2, 4, 8, 8), torch.randn(2, 5, 8, 8), torch.randn(2, 3, 12)
    wide = widened(small_unet).eval()
    assert wide.config.in_channels == 9
    got = wide(torch.cat([latents, beside], 1), 10, encoder_hidden_states=states).sample
    torch.testing.assert_close(got, small_unet(latents, 10, encoder_hidden_states=states).sample, atol=1e-5, rtol=1e-5)


def test_the_loss_can_be_learned_and_only_the_unet_learns(
    stack: Stack, small_unet: UNet2DConditionModel, tmp_path: Path
):
    corpus, tokenizer = small_corpus(), build_tokenizer()
    encoder = small_text_encoder(12).requires_grad_(False)
    unet = widened(small_unet)
    loss = inpaint_loss(
        unet,
        encoder,
        stack.vae,
        build_scheduler(),
        corpus,
        encode_corpus(stack.vae, torch.from_numpy(corpus.pictures), CPU),
        tokenise(tokenizer, corpus.captions),
        tokenise(tokenizer, [""]),
        batch=8,
        device=CPU,
    )

    @torch.no_grad()
    def figure() -> float:
        return float(np.mean([float(loss(0, _generator(10_000 + seed))[0]) for seed in range(6)]))

    before, words = figure(), [p.clone() for p in encoder.parameters()]
    train(
        unet,
        loss,
        plan=Plan(steps=30, lr=3e-3, warmup=3, ema=0.9),
        checkpoint=tmp_path / "inpaint.safetensors",
        device=CPU,
    )
    assert figure() < 0.85 * before
    assert unet.conv_in.weight[:, 4:].abs().max() > 0  # it reads the mask and what is known
    assert all(torch.equal(a, b) for a, b in zip(words, encoder.parameters(), strict=True))
