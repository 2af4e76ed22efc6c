"""A second device where there is none: tensors that say they are elsewhere, and refuse to meet one that is not.

Values live on the CPU, inside tensors that report another device. What an accelerator allows is allowed: numbers
(0-dimensional CPU tensors) beside its tensors, CPU tensors as indices, and copies from one to the other.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

# Autograd runs this device's work on the calling thread, as it would not an absent accelerator's.
ELSEWHERE = torch.device("meta")
_INDEXING = ("aten.index.", "aten.index_put", "aten._index_put", "aten.embedding.")
_COPYING = ("aten._to_copy", "aten.copy_")


class WrongDevice(RuntimeError):
    pass


class Elsewhere(Tensor):
    """Reports `ELSEWHERE`; `inside` holds its values."""

    inside: Tensor

    @staticmethod
    def __new__(cls, inside: Tensor) -> "Elsewhere":
        made = Tensor._make_wrapper_subclass(
            cls, inside.shape, inside.stride(), inside.storage_offset(), dtype=inside.dtype, device=ELSEWHERE
        )
        made.inside = inside
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})

    def __repr__(self, **_kwargs: Any) -> str:
        return f"Elsewhere({self.inside!r})"


@contextmanager
def fake_device() -> Iterator[None]:
    """Within, whatever is made on `ELSEWHERE` is an `Elsewhere`, and mixing devices raises `WrongDevice`."""
    with _FromData(), _FromOperations():
        yield


class _FromData(TorchFunctionMode):
    """Tensors from lists: torch would make empty ones of them, since its own device of that name has no values."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func is Tensor.tolist and isinstance(args[0], Elsewhere):
            return args[0].inside.tolist()
        if func is Tensor.new_tensor and isinstance(args[0], Elsewhere):
            return torch.tensor(args[1], dtype=args[0].dtype).to(ELSEWHERE)
        if func in (torch.tensor, torch.as_tensor) and kwargs.get("device") == ELSEWHERE:
            del kwargs["device"]
            return func(*args, **kwargs).to(ELSEWHERE)
        return func(*args, **kwargs)


class _FromOperations(TorchDispatchMode):
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    name = str(func)
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    elsewhere = [tensor for tensor in tensors if isinstance(tensor, Elsewhere)]
    here = [tensor for tensor in tensors if not isinstance(tensor, Elsewhere) and tensor.ndim > 0]
    allowed = name.startswith(_INDEXING) and isinstance(tensors[0], Elsewhere)
    if elsewhere and here and not allowed and not name.startswith(_COPYING):
        raise WrongDevice(f"{name}: {tuple(elsewhere[0].shape)} elsewhere meets {tuple(here[0].shape)} on the CPU")
    if name.startswith("aten._fused_sdp_choice"):
        return 0  # attention written out, which every device has
    target = kwargs.get("device")
    made_elsewhere = bool(elsewhere) if target is None else torch.device(target) == ELSEWHERE
    if name.startswith("aten.copy_"):
        made_elsewhere = isinstance(args[0], Elsewhere)
    if target is not None and torch.device(target) == ELSEWHERE:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    args, kwargs = tree_map(lambda leaf: leaf.inside if isinstance(leaf, Elsewhere) else leaf, (args, kwargs))
    result = func(*args, **kwargs)
    if not made_elsewhere or result is None:
        return result
    if func._schema.name.endswith("_") and tensors and isinstance(tensors[0], Elsewhere):
        return tensors[0]  # changed in place
    return tree_map(lambda leaf: Elsewhere(leaf) if isinstance(leaf, Tensor) else leaf, result)
