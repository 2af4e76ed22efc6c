"""Append-only lines of JSON, one file a process.

A line is `{"entry":<JSON>,"crc32":"<8 hex digits>"}`. The checksum is over the entry's text, so a line that was torn by
a kill, or altered later, is never taken for what was written.
"""

import json
import os
import secrets
import socket
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from spin_bench.core.identity import canonical

SUFFIX = ".jsonl"
_HEAD, _MIDDLE, _END = b'{"entry":', b',"crc32":"', b'"}'
_AFTER = len(_MIDDLE) + 8 + len(_END)


def seal(entry: Any) -> bytes:
    """The line of an entry."""
    text = canonical(entry).encode()
    return _HEAD + text + _MIDDLE + b"%08x" % zlib.crc32(text) + _END + b"\n"


def unseal(line: bytes) -> Any:
    """The entry of a line without its line break; ValueError where it is not what `seal` wrote."""
    text = line[len(_HEAD) : -_AFTER]
    if line != _HEAD + text + _MIDDLE + b"%08x" % zlib.crc32(text) + _END:
        raise ValueError("altered")
    return json.loads(text)


def read_new(path: Path, offset: int) -> tuple[list[Any], int, list[str]]:
    """The whole entries behind `offset`, where the next one will begin, and a line for each that is damaged."""
    with path.open("rb") as file:
        file.seek(offset)
        content = file.read()
    *lines, torn = content.split(b"\n")
    entries, problems = [], []
    for line in lines:
        try:
            entries.append(unseal(line))
        except ValueError:
            problems.append(f"{path}: a damaged line is ignored, what it said will be done again: {line[:40]!r}")
    if torn:
        problems.append(f"{path}: its last line is torn and ignored, what it said will be done again")
    return entries, offset + len(content) - len(torn), problems


class ShardWriter:
    """The file in `folder` that this process appends to; it is made by the first line."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.path: Path | None = None
        self.size = 0
        self._pid = 0

    def append(self, entries: Iterable[Any]) -> None:
        """Write the entries at once; they are on the disk when this returns.

        An error (OSError) may leave a torn line, so what comes after it goes to a new file; so does what a forked
        child has to say.
        """
        if self.path is None or self._pid != os.getpid():
            self._pid, self.size = os.getpid(), 0
            self.path = self.folder / f"{socket.gethostname()}-{self._pid}-{secrets.token_hex(4)}{SUFFIX}"
            self.folder.mkdir(parents=True, exist_ok=True)
        content = memoryview(b"".join(map(seal, entries)))
        written, path = 0, self.path
        self.path = None
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            while written < len(content):
                written += os.write(descriptor, content[written:])
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self.path, self.size = path, self.size + len(content)
