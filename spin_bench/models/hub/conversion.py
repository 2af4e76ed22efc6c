"""A published guided-diffusion checkpoint to a folder in diffusers' layout, safetensors.

The pickle is read without running any of its code, and compared with the architecture before anything is written. The
folder appears whole or not at all.
"""

import os
import pickle
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from spin_bench.core.errors import UserError
from spin_bench.core.files import write_whole
from spin_bench.core.identity import canonical, sha256_of_file
from spin_bench.models.loading.guided_diffusion import GuidedDiffusion, build_scheduler, build_unet, converted
from spin_bench.models.loading.layouts import bare

PUBLISHED = "https://openaipublic.blob.core.windows.net/diffusion/jul-2021/256x256_diffusion_uncond.pt"
_MEND = f"is this {Path(PUBLISHED).name}?"


def convert(source: Path, target: Path, shape: GuidedDiffusion) -> str:
    """Write `target`/unet and `target`/scheduler, return the SHA-256 of `source`.

    Raises `UserError` where the file is missing, is not a plain checkpoint or belongs to another architecture.
    """
    if target.exists():
        raise UserError(f"{target}: is there already: delete it to convert again, or set target=<another folder>")
    published = _read(source)
    with bare():
        unet = build_unet(shape)
    state = converted(published, shape)
    _compare(source, published, state, unet.state_dict())
    unet.load_state_dict({name: tensor.float() for name, tensor in state.items()}, assign=True)
    sha256 = sha256_of_file(source)
    for left_over in target.parent.glob(f".{target.name}.*.tmp"):  # of a conversion that was killed
        shutil.rmtree(left_over)
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        unet.save_pretrained(unfinished / "unet")
        build_scheduler().save_pretrained(unfinished / "scheduler")
        write_whole(unfinished / "source.json", canonical({"file": source.name, "sha256": sha256}).encode())
        unfinished.replace(target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return sha256


def _read(source: Path) -> Mapping[str, Tensor]:
    if not source.is_file():
        raise UserError(f"{source}: no such file: download it from {PUBLISHED}")
    try:
        state = torch.load(source, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(source))
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        if "GLOBAL" in str(error):  # how the unpickler names what it will not call
            raise UserError(f"{source}: refused, it holds more than tensors: {_MEND}") from error
        raise UserError(f"{source}: cannot be read, perhaps it was cut off: download it again") from error
    if not isinstance(state, Mapping) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise UserError(f"{source}: not a plain table of tensors: {_MEND}")
    return state


def _compare(
    source: Path, published: Mapping[str, Tensor], state: Mapping[str, Tensor], expected: Mapping[str, Tensor]
) -> None:
    """`UserError` names the first tensor that the architecture has otherwise."""
    for name, tensor in expected.items():
        if name not in state:
            raise UserError(f"{source}: another architecture, it has nothing for {name}: {_MEND}")
        if state[name].shape != tensor.shape:
            shapes = f"{tuple(state[name].shape)}, not {tuple(tensor.shape)}"
            raise UserError(f"{source}: another architecture, {name} is {shapes}: {_MEND}")
    split = sum(".to_q." in name for name in state)  # queries, keys and values were one
    if unused := len(published) - (len(state) - 2 * split):
        raise UserError(f"{source}: another architecture, {unused} of its tensors have no place: {_MEND}")
