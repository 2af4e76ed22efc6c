"""Benchmark of mask-and-reference-guided image painting, built around Spin (AAAI 2025)."""

from spin_bench.core.compat import let_torchvision_be_imported

__version__ = "0.1.0"

let_torchvision_be_imported()  # must come before anything imports torchvision
