"""How the embedded PowerPaint is taught: the published mixture, the mixed embedding, and what learns of the model."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel
from small_corpus import small_corpus, small_text_encoder
from torch import Tensor
from transformers import CLIPTextModel

from spin_bench.diffusion.text import encode_prompt
from spin_bench.methods.baselines.powerpaint import EMPTY, QUALITY
from spin_bench.mini.sprites import sprites
from spin_bench.models.stack import Stack
from spin_bench.models.task_tokens import CONTEXT, OBJECT, SHAPE, TASKS, VECTORS, spelled_out, task_tokenizer
from training.inpaint_masks import filled, subject_boxes
from training.loop import Plan, train
from training.task_mixture import TaskBatch, TaskMixture, warped
from training.tokenizer import build_tokenizer
from training.train_inpaint import Scenes, widened
from training.train_powerpaint import (
    PowerPaintModel,
    build_powerpaint,
    encode_batch,
    plain_text_encoder,
    powerpaint_loss,
    save_powerpaint,
)
from training.train_unet import build_scheduler
from training.train_vae import encode_corpus

CPU = torch.device("cpu")
TOKENIZER = build_tokenizer()
WIDTH = 12


@pytest.fixture
def model(small_unet: UNet2DConditionModel) -> PowerPaintModel:
    """Its task vectors differ, as after some training."""
    built = build_powerpaint(widened(small_unet), small_text_encoder(WIDTH), TOKENIZER)
    tasks = built.text_encoder.get_input_embeddings().tasks
    tasks.data += 0.1 * torch.randn(tasks.shape, generator=torch.Generator().manual_seed(0))
    return built


@pytest.fixture(scope="module")
def mixture() -> TaskMixture:
    corpus = small_corpus()
    latents = torch.zeros(2 * len(corpus.captions), 4, 16, 16)
    return TaskMixture(corpus, Scenes.of(corpus, latents), TOKENIZER)


@pytest.fixture(scope="module")
def batch(mixture: TaskMixture) -> TaskBatch:
    generator = torch.Generator().manual_seed(0)
    drawn = [mixture.draw(100, generator) for _ in range(20)]
    return TaskBatch(*(torch.cat(column) for column in zip(*(vars(part).values() for part in drawn), strict=True)))


def _subjects(batch: TaskBatch) -> Tensor:
    corpus = small_corpus()
    masks = torch.from_numpy(corpus.masks)
    return torch.cat([masks, masks.flip(-1)])[batch.chosen]


def _share(verdicts: Tensor) -> float:
    return float(verdicts.float().mean())


def test_tasks_come_in_the_published_shares(batch: TaskBatch):
    for task, share in ((CONTEXT, 0.4), (SHAPE, 0.3), (OBJECT, 0.3)):
        assert _share(batch.tasks == TASKS.index(task)) == pytest.approx(share, abs=0.035)  # three deviations
    assert _share(batch.chosen >= 24) == pytest.approx(0.5, abs=0.035)
    empty = ~_subjects(batch).flatten(1).any(1)
    assert (batch.tasks[empty] == TASKS.index(CONTEXT)).all()
    assert empty.any()


def test_masks_follow_the_rule_of_their_task(batch: TaskBatch):
    masks, subjects = batch.masks[:, 0] > 0, _subjects(batch)
    assert set(batch.masks.unique().tolist()) == {0.0, 1.0}
    assert masks.flatten(1).any(1).all()
    of_object = batch.tasks == TASKS.index(OBJECT)
    boxes = filled(subject_boxes(subjects[of_object]), 64)
    assert (masks[of_object] | ~boxes).all()
    assert _share((masks[of_object] == boxes).flatten(1).all(1)) == pytest.approx(0.5, abs=0.07)
    of_shape = batch.tasks == TASKS.index(SHAPE)
    radii = []
    for mask, subject in zip(masks[of_shape].numpy(), subjects[of_shape].numpy(), strict=True):
        grown = [cv2.dilate(subject.astype(np.uint8), np.ones((2 * r + 1,) * 2, np.uint8)) > 0 for r in range(13)]
        radii.append(next(r for r, candidate in enumerate(grown) if np.array_equal(candidate, mask)))
    # 0 to 9 dilations by kernels of 3 to 23 of 512 px: at most 99 px, 12.4 of 64; on average 27, which is 3.4 of 64
    assert max(radii) >= 9
    assert np.mean(radii) == pytest.approx(27 / 8, abs=0.5)
    share = subjects.sum((1, 2)) / masks.sum((1, 2))
    torch.testing.assert_close(batch.alpha, torch.where(of_shape, share, 1.0))
    assert 0.2 < batch.alpha[of_shape].mean() < 0.9


def test_warping_adds_a_ragged_edge_of_the_object_s_scale():
    boxes = torch.zeros(200, 64, 64, dtype=torch.bool)
    boxes[:, 20:44, 16:48] = True
    ragged = warped(boxes, torch.full((200,), 600), torch.Generator().manual_seed(0))
    assert (ragged | ~boxes).all()
    added = ragged & ~boxes
    assert _share(added.flatten(1).any(1)) > 0.95
    near = torch.zeros(64, 64, dtype=torch.bool)
    near[20 - 12 : 44 + 12, 16 - 12 : 48 + 12] = True  # five deviations of 0.1 sqrt(600) px
    assert not (added & ~near).any()
    assert 0.02 < added.sum() / boxes.sum() < 0.3


def test_texts_follow_the_rule_of_their_task(mixture: TaskMixture, batch: TaskBatch):
    corpus = small_corpus()
    names = [sprites()[noun].with_article if noun else "" for noun in corpus.nouns]
    rows = batch.chosen % 24
    captions, named = mixture.wording.indices(corpus.captions)[rows], mixture.wording.indices(names)[rows]
    nothing, empty, quality = mixture.wording.indices(["", EMPTY, QUALITY])
    of_context = batch.tasks == TASKS.index(CONTEXT)
    touches = ((batch.masks[:, 0] > 0) & _subjects(batch)).flatten(1).any(1)
    kept = 0.9
    assert _share(batch.texts == quality) == pytest.approx(0.05, abs=0.015)
    assert _share((batch.texts == captions)[of_context]) == pytest.approx(0.5 * kept, abs=0.05)
    assert _share((batch.texts == empty)[of_context & ~touches]) == pytest.approx(0.25 * kept, abs=0.06)
    assert not (batch.texts == empty)[~of_context | touches].any()
    assert _share((batch.texts == captions)[~of_context]) == pytest.approx(0.5 * kept, abs=0.045)
    assert _share((batch.texts == named)[~of_context]) == pytest.approx(0.5 * kept, abs=0.045)
    assert _share((batch.texts == nothing)[~of_context]) == pytest.approx(0.05, abs=0.02)
    text = corpus.captions[3]
    expected = task_tokenizer(TOKENIZER)(spelled_out(f"{text} {SHAPE}"), padding="max_length").input_ids
    assert mixture.wording.ids[TASKS.index(SHAPE), mixture.wording.indices([text])[0]].tolist() == expected


def test_a_shape_is_mixed_with_a_context_that_does_not_learn_from_it(model: PowerPaintModel, mixture: TaskMixture):
    texts = mixture.wording.indices(small_corpus().captions[:3])
    batch = TaskBatch(
        chosen=torch.arange(3),
        tasks=torch.tensor([TASKS.index(task) for task in (SHAPE, OBJECT, SHAPE)]),
        texts=texts,
        masks=torch.ones(3, 1, 64, 64),
        alpha=torch.tensor([0.3, 1.0, 0.8]),
    )
    states = encode_batch(model, mixture.wording.ids, batch, CPU)
    plain, tokenizer = plain_text_encoder(model), task_tokenizer(TOKENIZER)
    for row, (task, alpha) in enumerate(((SHAPE, 0.3), (OBJECT, 1.0), (SHAPE, 0.8))):
        own, context = (
            encode_prompt(tokenizer, plain, spelled_out(f"{small_corpus().captions[row]} {token}"))[0]
            for token in (task, CONTEXT)
        )
        torch.testing.assert_close(states[row], alpha * own + (1 - alpha) * context, atol=1e-5, rtol=1e-5)
    (states * torch.randn(states.shape, generator=torch.Generator().manual_seed(0))).sum().backward()
    gradient = model.text_encoder.get_input_embeddings().tasks.grad.unflatten(0, (len(TASKS), VECTORS))
    assert gradient[TASKS.index(CONTEXT)].abs().max() == 0
    assert (gradient[[TASKS.index(SHAPE), TASKS.index(OBJECT)]].abs().amax(-1) > 0).all()


def test_task_vectors_begin_as_the_word_a(small_unet: UNet2DConditionModel):
    encoder = small_text_encoder(WIDTH)
    words = encoder.get_input_embeddings().weight.clone()
    built = build_powerpaint(widened(small_unet), encoder, TOKENIZER)
    (a,) = TOKENIZER("a", add_special_tokens=False).input_ids
    tasks = built.text_encoder.get_input_embeddings().tasks
    assert tasks.shape == (30, WIDTH)
    assert torch.equal(tasks, words[a].expand(30, -1))
    assert torch.equal(encoder.get_input_embeddings().weight, words)  # the given one is left alone


def test_only_the_unet_and_the_task_vectors_learn(stack: Stack, model: PowerPaintModel, tmp_path: Path):
    corpus = small_corpus()
    latents = encode_corpus(stack.vae, torch.from_numpy(corpus.pictures), CPU)
    loss = powerpaint_loss(model, stack.vae, build_scheduler(), corpus, latents, TOKENIZER, batch=8, device=CPU)

    @torch.no_grad()
    def figure() -> float:
        return float(np.mean([float(loss(0, torch.Generator().manual_seed(10_000 + i))[0]) for i in range(6)]))

    before = {name: parameter.clone() for name, parameter in model.named_parameters()}
    loss_before = figure()
    plan = Plan(steps=30, lr=3e-3, warmup=3, ema=0.9)
    train(model, loss, plan=plan, checkpoint=tmp_path / "powerpaint.safetensors", device=CPU)
    assert figure() < 0.85 * loss_before
    changed = {name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])}
    assert {name for name in changed if name.startswith("text_encoder")} == {
        "text_encoder.embeddings.token_embedding.tasks"
    }
    assert {name for name in before if name.startswith("unet")} <= changed
    moved = model.text_encoder.get_input_embeddings().tasks - before["text_encoder.embeddings.token_embedding.tasks"]
    assert (moved.abs().amax(1) > 0).all()


@torch.no_grad()
def test_what_is_written_is_what_was_trained(model: PowerPaintModel, tmp_path: Path):
    save_powerpaint(model, tmp_path)
    unet = UNet2DConditionModel.from_pretrained(tmp_path / "unet")
    encoder = CLIPTextModel.from_pretrained(tmp_path / "text_encoder")
    tokenizer = task_tokenizer(TOKENIZER)
    assert encoder.get_input_embeddings().weight.shape == (len(tokenizer), WIDTH)
    assert encoder.config.vocab_size == len(tokenizer)
    for prompt in (f"a cat on the grass {task}" for task in TASKS):
        ids = tokenizer(spelled_out(prompt), padding="max_length", return_tensors="pt").input_ids
        expected = model.text_encoder(ids).last_hidden_state
        torch.testing.assert_close(encoder(ids).last_hidden_state, expected, atol=1e-6, rtol=1e-6)
    written = unet.state_dict()
    assert all(torch.equal(tensor, written[name]) for name, tensor in model.unet.state_dict().items())
