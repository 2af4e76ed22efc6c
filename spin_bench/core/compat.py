"""One gap between packages, closed in one place."""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.metadata import version
from types import ModuleType


class _BeforeTorchvision(MetaPathFinder):
    """Names torchvision's operators when torchvision is first imported, and finds nothing itself."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == "torchvision":
            sys.meta_path.remove(self)
            _name_operators()
        return None


def let_torchvision_be_imported() -> None:
    """Let `import torchvision` pass over a CPU build of torch; transformers, open_clip, timm and lpips import it.

    PyPI's Linux wheel of torchvision is built for CUDA. Over a CPU-only torch its operators do not load, and since its
    import registers fakes for two of them, the import fails as a whole. Nothing here calls those operators, so naming
    them is enough. If both packages come from the same build, nothing is touched; torch itself is not imported here.
    """
    if "+cpu" in version("torch") and "+" not in version("torchvision"):
        sys.meta_path.insert(0, _BeforeTorchvision())


def _name_operators() -> None:
    import torch

    for operator in ("nms", "qnms"):
        schema = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        torch.library.define(f"torchvision::{operator}", schema)
