"""Benchmark of mask-and-reference-guided image painting, built around Spin (AAAI 2025)."""

from spin_bench.core.compat import name_torchvision_operators

__version__ = "0.1.0"

name_torchvision_operators()  # must come before anything imports torchvision
