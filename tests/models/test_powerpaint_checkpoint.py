"""PowerPaint's published layout is read as the plain one; no real checkpoint is needed for that."""

from pathlib import Path

import pytest
import torch
from random_stack import random_stack
from safetensors.torch import save_file

from spin_bench.core.errors import UserError
from spin_bench.models.loading.powerpaint_checkpoint import load_powerpaint, unwrapped
from spin_bench.models.task_tokens import TASKS, VECTORS, spelled_out, task_tokenizer, with_room_for_tasks

TABLE = "embeddings.token_embedding"


def _published(folder: Path) -> tuple[Path, Path, dict[str, torch.Tensor]]:
    """Files as the authors write them, from random weights."""
    stack = random_stack()
    plain = {name: tensor + 0.1 for name, tensor in stack.text_encoder.state_dict().items()}
    wrapped = {f"text_model.{name}": tensor for name, tensor in plain.items() if name != f"{TABLE}.weight"}
    wrapped[f"text_model.{TABLE}.wrapped.weight"] = plain[f"{TABLE}.weight"]
    for index, task in enumerate(TASKS):
        vectors = torch.full((VECTORS, plain[f"{TABLE}.weight"].shape[1]), float(index + 1))
        wrapped[f"text_model.{TABLE}.trainable_embeddings.{task}"] = vectors
    save_file({n: t + 0.5 for n, t in stack.inpaint_unet.state_dict().items()}, folder / "unet.safetensors")
    save_file(wrapped, folder / "text.safetensors")
    return folder / "unet.safetensors", folder / "text.safetensors", wrapped


def test_the_published_layout_is_read(tmp_path: Path):
    unet_file, text_file, _ = _published(tmp_path)
    stack, fresh = random_stack(), random_stack()
    loaded = load_powerpaint(
        unet_file, text_file, unet=fresh.inpaint_unet, text_encoder=fresh.text_encoder, tokenizer=fresh.tokenizer
    )
    table = loaded.text_encoder.get_input_embeddings().weight
    words = stack.text_encoder.get_input_embeddings().weight
    torch.testing.assert_close(table[: len(words)], words + 0.1)
    for index, task in enumerate(TASKS):
        ids = loaded.tokenizer(spelled_out(task), add_special_tokens=False).input_ids
        assert len(ids) == VECTORS
        assert (table[ids] == index + 1).all()
    first, expected = next(loaded.unet.parameters()), next(stack.inpaint_unet.parameters())
    torch.testing.assert_close(first, expected + 0.5)


def test_another_checkpoint_is_refused(tmp_path: Path):
    unet_file, text_file, wrapped = _published(tmp_path)
    with pytest.raises(UserError, match=r"P_obj.*not the v1 checkpoint"):
        unwrapped({name: tensor for name, tensor in wrapped.items() if "P_obj" not in name})
    stack = random_stack()
    parts = {"text_encoder": stack.text_encoder, "tokenizer": stack.tokenizer}
    with pytest.raises(UserError, match=r"unet\.safetensors: does not fit"):
        load_powerpaint(unet_file, text_file, unet=stack.unet, **parts)


def test_a_task_starts_as_the_word_a():
    stack = random_stack()
    tokenizer = task_tokenizer(stack.tokenizer)
    encoder = with_room_for_tasks(random_stack().text_encoder, tokenizer)
    table = encoder.get_input_embeddings().weight
    (a,) = stack.tokenizer("a", add_special_tokens=False).input_ids
    assert len(table) == len(stack.tokenizer) + len(TASKS) * VECTORS
    assert (table[len(stack.tokenizer) :] == table[a]).all()
    assert len(stack.tokenizer) + 30 == len(tokenizer)
    ids = tokenizer(spelled_out("a cat P_obj"), add_special_tokens=False).input_ids
    words = stack.tokenizer("a cat", add_special_tokens=False).input_ids
    assert ids == [*words, *range(len(tokenizer) - 10, len(tokenizer))]
