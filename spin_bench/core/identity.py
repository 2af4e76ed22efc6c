"""Names for results: equal inputs give equal keys on every machine, and any difference gives another key."""

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

ADDED = "added"


def added(default: Any) -> Any:
    """A field of a settings dataclass that came after results were kept without it: at `default` it leaves no trace.

    So a new switch does not rename, and repaint, what is in the store. Another default needs another version.
    """
    return dataclasses.field(default=default, metadata={ADDED: True})


def canonical(value: Any) -> str:
    """One JSON text for one value: keys sorted, dataclasses as objects, no white space, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, default=_plain)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if not _traceless(value, f)}
    raise TypeError(f"{type(value).__name__} has no canonical form")


def _traceless(value: Any, field: dataclasses.Field[Any]) -> bool:
    return field.metadata.get(ADDED, False) and getattr(value, field.name) == field.default


def sha256_of(*parts: bytes) -> str:
    """SHA-256 of the parts, one behind the other, 64 hex digits."""
    sha = hashlib.sha256()
    for part in parts:
        sha.update(part)
    return sha.hexdigest()


def sha256_of_file(path: Path, watch: Callable[[int], None] = lambda count: None) -> str:
    """SHA-256 of a file, read block by block; `watch` hears the bytes of every block. OSError if it cannot be read."""
    sha = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 22):
            sha.update(block)
            watch(len(block))
    return sha.hexdigest()


def key_of(value: Any) -> str:
    """SHA-256 of the canonical JSON, 64 hex digits."""
    return sha256_of(canonical(value).encode())


def run_key(identity: Any) -> str:
    """The first 32 hex digits of the identity's SHA-256: a folder name."""
    return key_of(identity)[:32]


def derive_seed(base_seed: int, case_id: str, k: int) -> int:
    """The seed of image `k` of a case, in [0, 2^63)."""
    return int(key_of([base_seed, case_id, k])[:16], 16) >> 1


def leaves(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested objects (what `canonical` text reads back as) flattened to dotted names."""
    if not isinstance(value, dict):
        return {prefix: value}
    flat: dict[str, Any] = {}
    for name, inner in value.items():
        flat |= leaves(inner, f"{prefix}.{name}" if prefix else name)
    return flat
