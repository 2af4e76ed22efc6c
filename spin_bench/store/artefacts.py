"""Intermediate results that several runs share, such as a reference's embedding, kept under their own keys."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from spin_bench.core.files import write_whole
from spin_bench.core.identity import key_of, sha256_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Artefact:
    """A tensor and what it cost."""

    value: Tensor
    seconds: float


class Artefacts:
    """A folder of tensors by kind and key. Files appear whole, so processes may share the folder.

    Without a `folder` they lie in a temporary one, which goes with this object.
    """

    def __init__(self, folder: Path | None = None):
        self._given = folder

    @cached_property
    def folder(self) -> Path:
        return self._given or Path(self._temporary.name)

    @cached_property
    def _temporary(self) -> TemporaryDirectory[str]:
        return TemporaryDirectory(prefix="spin-bench-")

    def find(self, kind: str, identity: Any) -> Artefact | None:
        """The tensor that was kept under `identity` (anything canonical), on the CPU; None if none is sound."""
        path = self._path(kind, identity)
        if not path.exists():
            return None
        try:
            with safe_open(path, framework="pt") as file:
                value, facts = file.get_tensor("value"), file.metadata() or {}
            if facts.get("sha256", _digest(value)) == _digest(value):  # artefacts of before had no digest
                return Artefact(value, float(facts.get("seconds", 0.0)))
        except (SafetensorError, ValueError) as error:
            log.warning("%s: unreadable, will be made again (%s)", path, error)
            return None
        log.warning("%s: altered since it was written, will be made again", path)
        return None

    def keep(self, kind: str, identity: Any, value: Tensor, *, seconds: float = 0.0) -> None:
        tensor = value.detach().to("cpu", torch.float32).contiguous()
        facts = {"seconds": repr(seconds), "sha256": _digest(tensor)}
        write_whole(self._path(kind, identity), save({"value": tensor}, metadata=facts))

    def tensor(self, kind: str, identity: Any, make: Callable[[], Tensor]) -> Tensor:
        """What was kept, or else what `make` returns, kept for next time."""
        if self.find(kind, identity) is None:
            self.keep(kind, identity, make())
        kept = self.find(kind, identity)
        assert kept is not None
        return kept.value

    def _path(self, kind: str, identity: Any) -> Path:
        return self.folder / kind / f"{key_of(identity)}.safetensors"

    @staticmethod
    def digest(*pictures: Image.Image | None) -> str:
        """SHA-256 of pictures' sizes and pixels."""
        parts = (b"none" if p is None else repr((p.mode, p.size)).encode() + p.tobytes() for p in pictures)
        return sha256_of(*parts)


def _digest(value: Tensor) -> str:
    return sha256_of(value.numpy().tobytes())
