"""Where things are kept that any checkout may share."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """SPIN_BENCH_CACHE, else `spin_bench` in XDG's cache folder."""
    if own := os.environ.get("SPIN_BENCH_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "spin_bench"
