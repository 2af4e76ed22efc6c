"""Who needs a run key: the results folders that were folded from it, and runs under way.

    <root>/<run key>/uses/<digest>.json                a results folder, by its place; `fold` writes it
    <root>/<run key>/uses/<host>-<pid>-<random>.json   a run, removed at its end; a killed one leaves it

What has no such folder was painted by an earlier version or came from another store: nobody here knows who needs it.
"""

import errno
import json
import logging
import os
import secrets
import socket
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from spin_bench.core.errors import UserError
from spin_bench.core.files import write_whole
from spin_bench.core.identity import canonical, sha256_of

log = logging.getLogger(__name__)

USES = "uses"
RUN_FILE = "run.json"  # in a results folder: the settings and the run keys that it was folded from
YOUNG = 3600.0  # seconds; a younger file may belong to a run that is about to record it
SILENT = 7 * 24 * 3600.0  # seconds; a run on another machine that wrote nothing for so long has ended
READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)


def note_results(root: Path, keys: Collection[str], folder: Path, results_dir: Path) -> None:
    """Record that the results folder `folder` below `results_dir` is folded from the run keys."""
    at = folder.resolve()
    for key in keys:
        uses = root.resolve() / key / USES
        content = {"folder": str(at), "from_here": os.path.relpath(at, uses), "below": str(results_dir.resolve())}
        path = uses / f"{sha256_of(str(at).encode())[:16]}.json"
        if _read(path) != content:
            _write(path, content)


class RunUnderWay:
    """The records of this process's run in the run keys that it reads and writes."""

    def __init__(self, root: Path, keys: Collection[str]):
        host, pid = socket.gethostname(), os.getpid()
        name = f"{host}-{pid}-{secrets.token_hex(4)}.json"
        content = {"host": host, "pid": pid, "started": psutil.Process(pid).create_time()}
        self._paths = [root / key / USES / name for key in keys]
        self._touched = time.monotonic()
        for path in self._paths:
            _write(path, content)

    def touch(self, every: float = 600.0) -> None:
        """Show other machines that the run is alive."""
        if time.monotonic() - self._touched >= every:
            self._touched = time.monotonic()
            for path in self._paths:
                with suppress(OSError):
                    os.utime(path)

    def end(self) -> None:
        """Take the records back."""
        for path in self._paths:
            path.unlink(missing_ok=True)


@contextmanager
def under_way(root: Path, keys: Collection[str]) -> Iterator[RunUnderWay]:
    """Within, `store gc` of any process leaves the run keys alone."""
    run = RunUnderWay(root, keys)
    try:
        yield run
    finally:
        run.end()


def results_keys(results_dir: Path, store: Path) -> set[str]:
    """The run keys of every results folder below `results_dir`; `UserError` if it is missing or one is unreadable."""
    if not results_dir.is_dir():
        raise UserError(f"results_dir={results_dir}: no such folder, so who needs what is unknown: name the right one")
    keys: set[str] = set()
    for folder, inside, files in os.walk(results_dir):
        inside[:] = [name for name in inside if (Path(folder) / name).resolve() != store.resolve()]
        if RUN_FILE in files:
            path = Path(folder) / RUN_FILE
            own = _keys(path)
            if own is None:
                raise UserError(f"{path}: unreadable, so what it needs is unknown: restore it, or remove its folder")
            keys |= own
    return keys


def is_running(key: Path) -> bool:
    """Whether a run under way needs the run key at `key`."""
    return any(_is_alive(path, record) for path, record in _records(key) if "pid" in record)


def needed(key: Path, in_results: Collection[str]) -> str:
    """Why the run key at `key` has to stay; "" if nobody needs it. `in_results` are the keys of known results."""
    if key.name in in_results:
        return "a results folder was made from it"
    if is_running(key):
        return "a run under way needs it"
    if any(_is_young(path) for path in key.rglob("*") if path.parent.name != USES):
        return "it is younger than an hour"
    return next((why for _, record in _records(key) if (why := _needed_by(key, record))), "")


def unknown_use(key: Path) -> bool:
    """Whether no run and no results folder ever was recorded for the run key at `key`."""
    return not (key / USES).is_dir()


def _needed_by(key: Path, record: dict[str, Any]) -> str:
    """Why the results folder of a record needs the run key; "" if it does not."""
    if "folder" not in record:
        return ""
    places = [Path(record["folder"]), key / USES / record["from_here"]]
    folder = next((place for place in places if (place / RUN_FILE).exists()), None)
    if folder is None:
        below = Path(record["below"])
        return "" if below.is_dir() else f"{below} is not here, whose results were made from it"
    keys = _keys(folder / RUN_FILE)
    return f"{folder.resolve()} was made from it" if keys is None or key.name in keys else ""


def _is_young(path: Path) -> bool:
    return path.is_file() and path.stat().st_mtime > time.time() - YOUNG


def _is_alive(path: Path, record: dict[str, Any]) -> bool:
    silent = time.time() - path.stat().st_mtime
    if silent < YOUNG or record.get("host") != socket.gethostname():
        return silent < SILENT
    try:
        return abs(psutil.Process(int(record["pid"])).create_time() - float(record["started"])) < 1
    except (psutil.Error, KeyError, TypeError, ValueError):
        return False


def _records(key: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in sorted((key / USES).glob("*.json")):
        record = _read(path)
        if record is not None:
            yield path, record


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _keys(run_file: Path) -> set[str] | None:
    """The run keys of a results folder; None if its file cannot be read."""
    try:
        return set(json.loads(run_file.read_text("utf-8"))["keys"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _write(path: Path, content: dict[str, Any]) -> None:
    try:
        write_whole(path, canonical(content).encode())
    except OSError as error:
        if error.errno not in READ_ONLY:
            raise
        log.warning("%s: cannot be written, so store gc will not know that %s is needed", path, path.parents[1].name)
