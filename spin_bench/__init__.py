"""Benchmark of mask-and-reference-guided image painting, built around Spin (AAAI 2025)."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from spin_bench.core.compat import let_torchvision_be_imported

if TYPE_CHECKING:
    from spin_bench.api import *  # noqa: F403

__version__ = "0.1.0"

let_torchvision_be_imported()  # must come before anything imports torchvision


def __getattr__(name: str) -> Any:
    """The names of `spin_bench.api`, imported when one is first used: a help text needs no model library."""
    if name.startswith("_") or name not in import_module("spin_bench.api").__all__:
        raise AttributeError(f"module 'spin_bench' has no attribute {name!r}")
    return getattr(import_module("spin_bench.api"), name)
