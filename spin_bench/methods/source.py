"""The code that a method's pictures come from, as a digest: whoever changes it has to say whether pictures change.

A plug-in's digest is part of the identity of its results, so that its changed code never meets old pictures. Those of
the built-in methods are committed beside their versions, and a test compares them: see `spin_bench.methods.digests`.
"""

from spin_bench.core.source import source_digest
from spin_bench.methods.method import Method

ROOMS = ("spin_bench.methods.baselines", "spin_bench.spin", "spin_bench.diffusion")  # whose code makes pictures


def method_source(method: Method) -> str:
    """SHA-256 of the code of a method: its own modules and those that they import from their project and `ROOMS`."""
    parts = (getattr(method.build, "func", method.build), method.settings)  # `func`: of a functools.partial
    modules = sorted({part.__module__ for part in parts})
    return source_digest(modules, within={*ROOMS, *(name.partition(".")[0] for name in modules if not _ours(name))})


def _ours(module: str) -> bool:
    return module.partition(".")[0] == "spin_bench"
