"""Say so if results in the store were made by other code than what is here."""

import json
import logging
from pathlib import Path
from typing import Any

from spin_bench.core.identity import canonical
from spin_bench.methods.method import Method
from spin_bench.store import Store
from spin_bench.store.store import SETTINGS, SOURCE

log = logging.getLogger(__name__)


def compare_source(store: Store, key: str, method: Method) -> None:
    """Log a line if the store knows the results of a run key by other code.

    A plug-in's changed code is another key, so its pictures are painted anew. The version of a built-in method vouches
    that they stay as they are, and a test holds it to that.
    """
    known = _read(store.root / key / SOURCE).get("source")
    if known is not None and known != store.sources[key]:
        log.info("%s: its code changed, its version says that its pictures did not", method.title)
    if not method.source:
        return
    mine = json.loads(canonical(store.identities[key]))
    if any(_differs_in_source(_read(path), mine) for path in store.root.glob(f"*/{SETTINGS}")):
        log.warning("%s: its code changed and its version did not: its pictures are painted anew", method.title)


def _differs_in_source(other: dict[str, Any], mine: dict[str, Any]) -> bool:
    return "source" in other and other["source"] != mine["source"] and {**other, "source": mine["source"]} == mine


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return {}
