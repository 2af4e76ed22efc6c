"""The embedded PowerPaint (Zhuang et al. 2024): the inpainting UNet taught three tasks by learned token vectors.

All of the UNet learns, and of the text encoder the thirty task vectors alone. What it is shown: see `task_mixture`.
"""

from copy import deepcopy
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from spin_bench.models.task_tokens import CONTEXT, TASKS, VECTORS, task_tokenizer, with_room_for_tasks
from training.corpus import Corpus
from training.loop import StepLoss, autocast
from training.task_mixture import TaskBatch, TaskMixture
from training.train_inpaint import Scenes, known, noise_error
from training.train_unet import min_snr_weights, trainable


class TaskTable(nn.Module):
    """An embedding table whose words are frozen and whose last rows, the task vectors, learn."""

    def __init__(self, table: nn.Embedding, learned: int):
        super().__init__()
        words, tasks = table.weight.detach().split([table.num_embeddings - learned, learned])
        self.words = nn.Parameter(words.clone(), requires_grad=False)
        self.tasks = nn.Parameter(tasks.clone())

    def forward(self, ids: Tensor) -> Tensor:
        return F.embedding(ids, torch.cat([self.words, self.tasks]))

    def plain(self) -> nn.Embedding:
        return nn.Embedding.from_pretrained(torch.cat([self.words, self.tasks]).detach().clone(), freeze=False)


class PowerPaintModel(nn.Module):
    """What is trained together; the text encoder's embedding table is a `TaskTable`."""

    def __init__(self, unet: UNet2DConditionModel, text_encoder: CLIPTextModel):
        super().__init__()
        self.unet = unet
        self.text_encoder = text_encoder


def build_powerpaint(
    inpaint_unet: UNet2DConditionModel, text_encoder: CLIPTextModel, tokenizer: CLIPTokenizer
) -> PowerPaintModel:
    """Ready to train from copies of a trained inpainting model; `tokenizer` is the one without task tokens."""
    encoder = with_room_for_tasks(deepcopy(text_encoder), task_tokenizer(tokenizer)).requires_grad_(False)
    encoder.set_input_embeddings(TaskTable(encoder.get_input_embeddings(), len(TASKS) * VECTORS))
    return PowerPaintModel(trainable(deepcopy(inpaint_unet)), encoder)


def plain_text_encoder(model: PowerPaintModel) -> CLIPTextModel:
    """A copy of the text encoder with one ordinary embedding table, as `with_room_for_tasks` lays it out."""
    encoder = deepcopy(model.text_encoder)
    encoder.set_input_embeddings(encoder.get_input_embeddings().plain())
    return encoder


def save_powerpaint(model: PowerPaintModel, folder: Path) -> None:
    """Write `unet` and `text_encoder`, as the stacks read them."""
    model.unet.save_pretrained(folder / "unet")
    plain_text_encoder(model).save_pretrained(folder / "text_encoder")


def encode_batch(model: PowerPaintModel, ids: Tensor, batch: TaskBatch, device: torch.device) -> Tensor:
    """alpha E(text task) + (1 - alpha) stopgrad E(text P_ctxt), (B, window, width); `ids` of a `Wording`."""
    own, context = ids[batch.tasks, batch.texts], ids[TASKS.index(CONTEXT), batch.texts]
    alpha = batch.alpha.to(device)[:, None, None]
    states = model.text_encoder(own.to(device)).last_hidden_state
    with torch.no_grad():
        of_context = model.text_encoder(context.to(device)).last_hidden_state
    return alpha * states + (1 - alpha) * of_context


def powerpaint_loss(
    model: PowerPaintModel,
    vae: AutoencoderKL,
    scheduler: DDIMScheduler,
    corpus: Corpus,
    latents: Tensor,
    tokenizer: CLIPTokenizer,
    *,
    batch: int,
    device: torch.device,
) -> StepLoss:
    """`latents` (2N, C, h, w) as for `inpaint_loss`; `tokenizer` is the one without task tokens."""
    scenes, weights = Scenes.of(corpus, latents), min_snr_weights(scheduler, device)
    mixture = TaskMixture(corpus, scenes, tokenizer)

    def loss(step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        drawn = mixture.draw(batch, generator)
        beside = known(vae, scenes.images(drawn.chosen), drawn.masks, device)
        with autocast(device):
            states = encode_batch(model, mixture.wording.ids, drawn, device)
        clean = latents[drawn.chosen].float().to(device)
        error, t = noise_error(model.unet, scheduler, clean, beside, states, generator)
        return (weights[t] * error).mean(), {"mse": float(error.detach().mean())}

    return loss
