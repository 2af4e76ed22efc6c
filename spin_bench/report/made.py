"""One line on where a result comes from, for the foot of its page."""

from collections.abc import Mapping
from typing import Any


def made_line(provenance: Mapping[str, Any]) -> str:
    """Say on which day, by which code and on which machine a result was made."""
    git, machine, packages = provenance["code"]["git"], provenance["machine"], provenance["packages"]
    code = f"spin_bench {packages['spin-bench']}"
    if git:
        code += f" at commit {git['commit'][:10]}" + (" with changes of its own" if git["dirty"] else "")
    day = provenance["time"]["started"][:10]
    count = machine["threads"]
    threads = f", {count} thread{'s' * (count > 1)}" if provenance["stack"]["device"] == "cpu" else ""
    return f"Made on {day} by {code}, torch {packages['torch']}, on {machine['device']}{threads}."
