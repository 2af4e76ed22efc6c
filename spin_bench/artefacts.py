"""Intermediate results that several runs share, such as a reference's embedding, kept under their own keys."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from spin_bench.identity import key_of


class Artefacts:
    """A folder of tensors by kind and key. Files appear whole (rename), so processes may share the folder."""

    def __init__(self, folder: Path):
        self.folder = folder

    def tensor(self, kind: str, identity: Any, make: Callable[[], Tensor]) -> Tensor:
        """The tensor of that `identity` (anything canonical), or else what `make` returns, kept for next time."""
        path = self.folder / kind / f"{key_of(identity)}.safetensors"
        if path.exists():
            return load_file(path)["value"]
        value = make().detach().to("cpu", torch.float32).contiguous()
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}.tmp")
        save_file({"value": value}, unfinished)
        unfinished.replace(path)
        return value

    @staticmethod
    def digest(*pictures: Image.Image | None) -> str:
        """SHA-256 of pictures' sizes and pixels."""
        sha = hashlib.sha256()
        for picture in pictures:
            sha.update(b"none" if picture is None else repr((picture.mode, picture.size)).encode() + picture.tobytes())
        return sha.hexdigest()
