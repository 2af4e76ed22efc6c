"""glibc keeps the memory of large tensors instead of giving it back to the kernel.

Otherwise every big tensor is mapped, zeroed and unmapped anew, which is most felt where a method tunes weights: a
training step of a small UNet takes 1.8 times as long (docs/cost.md).
"""

import ctypes
import os
import platform

SETTINGS = {  # what glibc calls it in the environment -> number for mallopt, value (an int)
    "MALLOC_MMAP_MAX_": (-4, 0),
    "MALLOC_TRIM_THRESHOLD_": (-1, 2**31 - 1),
    "MALLOC_TOP_PAD_": (-2, 2**28),
}


def keep_memory() -> list[str]:
    """Tell this process's allocator; what the user's environment sets stays. Returns the names of what was set."""
    if platform.libc_ver()[0] != "glibc":
        return []
    mallopt = ctypes.CDLL(None).mallopt
    return [name for name, (number, value) in SETTINGS.items() if name not in os.environ and mallopt(number, value)]
