"""A folder as a command finds it and leaves it."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from spin_bench.cli.main import main


def digest_of(folder: Path) -> str:
    """SHA-256 over every name and content below `folder`."""
    sha = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        sha.update(str(path.relative_to(folder)).encode() + b"\0")
        if path.is_file() and os.access(path, os.R_OK):
            sha.update(hashlib.sha256(path.read_bytes()).digest())
    return sha.hexdigest()


def expect_refusal(
    words: list[str], folder: Path, capsys: pytest.CaptureFixture[str], run: Callable[[list[str]], int] = main
) -> str:
    """Run a command in `folder`: exit code 2, one line and no trace, nothing written; returns the line."""
    before = digest_of(folder)
    capsys.readouterr()
    code = run(words)
    captured = capsys.readouterr()
    lines = captured.err.strip().splitlines()
    assert (code, len(lines)) == (2, 1), captured.err
    assert lines[0].startswith("spin-bench: ")
    assert "Traceback" not in captured.err + captured.out
    assert digest_of(folder) == before
    return lines[0]
