"""One gap between packages, closed in one place."""

from importlib.metadata import version


def name_torchvision_operators() -> None:
    """Let `import torchvision` pass over a CPU build of torch; transformers, open_clip, timm and lpips import it.

    PyPI's Linux wheel of torchvision is built for CUDA. Over a CPU-only torch its operators do not load, and since its
    import registers fakes for two of them, the import fails as a whole. Nothing here calls those operators, so naming
    them is enough. Where both packages come from the same build, nothing is touched and torch is not even imported.
    """
    if "+cpu" not in version("torch") or "+" in version("torchvision"):
        return
    import torch

    for operator in ("nms", "qnms"):
        schema = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        torch.library.define(f"torchvision::{operator}", schema)
