"""Intermediate results that several runs share, such as a reference's embedding, kept under their own keys."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from spin_bench.identity import key_of


@dataclass(frozen=True, eq=False)
class Artefact:
    """A tensor and what it cost."""

    value: Tensor
    seconds: float


class Artefacts:
    """A folder of tensors by kind and key. Files appear whole (rename), so processes may share the folder."""

    def __init__(self, folder: Path):
        self.folder = folder

    def find(self, kind: str, identity: Any) -> Artefact | None:
        """What was kept of that `identity` (anything canonical)."""
        path = self._path(kind, identity)
        if not path.exists():
            return None
        with safe_open(path, framework="pt") as file:
            return Artefact(file.get_tensor("value"), float((file.metadata() or {}).get("seconds", 0.0)))

    def keep(self, kind: str, identity: Any, value: Tensor, *, seconds: float = 0.0) -> None:
        path = self._path(kind, identity)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}.tmp")
        tensors = {"value": value.detach().to("cpu", torch.float32).contiguous()}
        save_file(tensors, unfinished, metadata={"seconds": repr(seconds)})
        unfinished.replace(path)

    def tensor(self, kind: str, identity: Any, make: Callable[[], Tensor]) -> Tensor:
        """What was kept, or else what `make` returns, kept for next time."""
        if self.find(kind, identity) is None:
            self.keep(kind, identity, make())
        found = self.find(kind, identity)
        assert found is not None
        return found.value

    def _path(self, kind: str, identity: Any) -> Path:
        return self.folder / kind / f"{key_of(identity)}.safetensors"

    @staticmethod
    def digest(*pictures: Image.Image | None) -> str:
        """SHA-256 of pictures' sizes and pixels."""
        sha = hashlib.sha256()
        for picture in pictures:
            sha.update(b"none" if picture is None else repr((picture.mode, picture.size)).encode() + picture.tobytes())
        return sha.hexdigest()
