"""Declare that the built-in methods' changed code paints the same pictures as before: `make digests`.

Writes the version and the digest of every method to the file that its first word names. If pictures do change, raise
the method's VERSION first.
"""

import json
import sys
from pathlib import Path

from spin_bench.methods.registry import BUILT_IN, methods
from spin_bench.methods.source import method_source


def digests() -> dict[str, dict[str, str]]:
    """Version and digest of every built-in method, by name."""
    records = {name: methods()[name] for name in BUILT_IN}
    return {name: {"version": record.version, "source": method_source(record)} for name, record in records.items()}


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(digests(), indent=1) + "\n")
