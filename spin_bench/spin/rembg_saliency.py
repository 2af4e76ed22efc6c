"""Saliency from the `rembg` package: its sessions of U2-Net, IS-Net and BiRefNet, an optional install."""

from functools import cache
from importlib import import_module
from typing import Any

from PIL import Image

from spin_bench.core.errors import UserError, unknown


@cache
def _session(model: str) -> Any:
    """Start `rembg` with a model, which it downloads the first time; `UserError` if package or model is missing."""
    try:
        rembg = import_module("rembg")
    except ImportError as error:
        raise UserError("saliency=rembg needs the rembg package: pip install 'spin-bench[rembg]'") from error
    known = [session.name() for session in import_module("rembg.sessions").sessions_class]
    if model not in known:
        raise unknown("rembg_model", model, known)
    try:
        return rembg.new_session(model)
    except Exception as error:  # whatever its downloader and its runtime raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"rembg_model={model}: not loaded ({reason}): put {model}.onnx into U2NET_HOME (default ~/.u2net), "
            "or set saliency=learned or reference_mask"
        ) from error


def rembg_map(picture: Image.Image, model: str) -> Image.Image:
    """Find what is salient in an RGB picture: a picture of one channel (L, 0 to 255) and the same size.

    Raises `UserError` if the package or the model is missing.
    """
    return _session(model).predict(picture)[0].convert("L")
