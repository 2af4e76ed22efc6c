"""PowerPaint v1's published weights, in the layout of the rest of the harness.

The authors' text encoder wraps its embedding table: the words' rows are `token_embedding.wrapped.weight`, each task's
ten vectors are `token_embedding.trainable_embeddings.<task>`. Here one table holds the words, then the tasks.
"""

from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from spin_bench.core.errors import UserError
from spin_bench.models.stack import PowerPaint
from spin_bench.models.task_tokens import TASKS, task_tokenizer, with_room_for_tasks

_TABLE = "embeddings.token_embedding"


def unwrapped(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The authors' text-encoder state with one embedding table, named as `CLIPTextModel` names its weights."""
    plain = {name.removeprefix("text_model."): tensor for name, tensor in state.items()}
    try:
        words = plain.pop(f"{_TABLE}.wrapped.weight")
        tasks = [plain.pop(f"{_TABLE}.trainable_embeddings.{task}") for task in TASKS]
    except KeyError as error:
        raise UserError(f"PowerPaint's text encoder: no weight {error}: this is not the v1 checkpoint") from error
    plain.pop("embeddings.position_ids", None)  # a buffer that older releases saved
    return {**plain, f"{_TABLE}.weight": torch.cat([words, *(task.to(words) for task in tasks)])}


def load_powerpaint(
    unet_file: Path,
    text_encoder_file: Path,
    *,
    unet: UNet2DConditionModel,
    text_encoder: CLIPTextModel,
    tokenizer: CLIPTokenizer,
) -> PowerPaint:
    """The base model's modules with the published weights in them; raises `UserError` where a file does not fit."""
    extended = task_tokenizer(tokenizer)
    text_encoder = with_room_for_tasks(text_encoder, extended)
    for file, module, state in (
        (unet_file, unet, load_file(unet_file)),
        (text_encoder_file, text_encoder, unwrapped(load_file(text_encoder_file))),
    ):
        try:
            module.load_state_dict(state)
        except RuntimeError as error:
            raise UserError(f"{file}: does not fit its base model: {str(error).splitlines()[1].strip()}") from error
    return PowerPaint(unet, text_encoder, extended)
