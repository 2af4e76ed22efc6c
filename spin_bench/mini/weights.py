"""The trained weights that ship inside the package, every file checked against its hash."""

import json
from pathlib import Path

from spin_bench.core.errors import UserError
from spin_bench.core.identity import sha256_of_file

ZOO = Path(__file__).parent / "zoo"


def checked_manifest(zoo: Path) -> dict[str, str]:
    """The zoo's hashes by file, once every file has been compared with its own; `UserError` names one that differs."""
    manifest = zoo / "manifest.json"
    if not manifest.exists():
        raise UserError(f"{manifest}: missing, so the embedded models cannot be checked: run git checkout {zoo}")
    expected: dict[str, str] = json.loads(manifest.read_text())
    for name, digest in expected.items():
        path = zoo / name
        if not path.exists():
            raise UserError(f"{path}: missing: restore it with git checkout {path}")
        sha256 = sha256_of_file(path)
        if sha256 != digest:
            raise UserError(
                f"{path}: SHA-256 is {sha256[:16]}…, not {digest[:16]}…: restore it with git checkout {path}"
            )
    return expected
