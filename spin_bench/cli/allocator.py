"""Start the command again under glibc settings that keep large tensors' memory from going back to the kernel.

Without them every big tensor is mapped, zeroed and unmapped anew, which is most felt where a method tunes weights
(docs/cost.md has the figures). glibc reads them when a process starts, hence the second start.
"""

import logging
import os
import platform
import sys
from collections.abc import Mapping, Sequence

log = logging.getLogger(__name__)

SETTINGS = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**34),
    "MALLOC_TOP_PAD_": str(2**28),
}
OFF = "reexec=false"


def missing_settings(environment: Mapping[str, str], words: Sequence[str]) -> dict[str, str]:
    """Those of `SETTINGS` that this process lacks; none where they would do nothing, or where `words` say `OFF`.

    What the user has set stays as it is, and counts as set.
    """
    if OFF in words or platform.libc_ver()[0] != "glibc":
        return {}
    return {name: value for name, value in SETTINGS.items() if name not in environment}


def restart_with_settings(words: Sequence[str]) -> None:
    """Replace this process by one that runs the same command under `SETTINGS`; returns where it already does."""
    missing = missing_settings(os.environ, words)
    if not missing:
        return
    log.info("starting again with %s (%s keeps this process)", " ".join(f"{k}={v}" for k, v in missing.items()), OFF)
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **missing})
