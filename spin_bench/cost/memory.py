"""How much memory something took: of the accelerator where there is one, else of this process."""

import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

_CLEAR, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


@contextmanager
def peak_bytes(device: torch.device) -> Iterator[Callable[[], int]]:
    """Within, the yielded function gives the peak since the block began.

    On Linux the process's own high-water mark is set back first. Elsewhere it cannot be, and the peak is the whole
    process's so far.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        yield lambda: torch.cuda.max_memory_allocated(device)
    elif device.type == "mps":
        yield torch.mps.driver_allocated_memory
    elif _CLEAR.exists():
        _CLEAR.write_text("5")
        yield _high_water
    else:
        unit = 1 if sys.platform == "darwin" else 1024
        yield lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _high_water() -> int:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024
