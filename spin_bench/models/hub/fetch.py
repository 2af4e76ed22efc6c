"""One file from the hub, its bytes compared with what they should be."""

import logging
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from spin_bench.core.errors import UserError
from spin_bench.core.identity import sha256_of_file
from spin_bench.models.hub.client import HubFile, cached, commit_of, fetched, hub_hash
from spin_bench.models.hub.lock import Locked

log = logging.getLogger(__name__)


def fetch_checked(file: HubFile, console: Console) -> Locked:
    """Have `file` in the hub's cache, right to the last byte; `UserError` where that cannot be.

    Its hash should be the stack's or the lock file's. Where neither knows one, the hub's own catches what was altered
    on the way, and what came is trusted from then on.
    """
    path = cached(file)
    if path is None:
        path = _with_progress(file, console)
    expected = file.sha256 or hub_hash(file)
    sha256 = sha256_of_file(path)
    if expected and sha256 != expected:
        log.warning("%s: SHA-256 is %s…, not %s…: fetched again", file.key, sha256[:16], expected[:16])
        path = _with_progress(file, console, again=True)
        sha256 = sha256_of_file(path)
    if expected and sha256 != expected:
        raise UserError(
            f"{file.key}: SHA-256 is {sha256}, not {expected}, also when fetched again: the hub serves another file, "
            f"or the way to it alters it: check HF_ENDPOINT, or the hash in the stack and in its lock file"
        )
    return Locked(commit_of(path), sha256, path.stat().st_size)


def _with_progress(file: HubFile, console: Console, *, again: bool = False) -> Path:
    columns = (TextColumn("  {task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        return fetched(file, bar=_bar(progress), again=again)


def _bar(progress: Progress) -> Any:
    """A class that huggingface_hub takes for tqdm, and that moves one bar of `progress`."""

    class Bar:
        def __init__(self, *_args: Any, total: float | None = None, initial: float = 0, **_kwargs: Any):
            self._task = progress.add_task("", total=total, completed=int(initial))

        def update(self, count: float | None = 1) -> None:
            progress.advance(self._task, count or 0)

        def __enter__(self) -> "Bar":
            return self

        def __exit__(self, *_: Any) -> None:
            self.close()

        def close(self) -> None:
            progress.remove_task(self._task)

        def set_description(self, *_args: Any, **_kwargs: Any) -> None:
            pass

        def refresh(self) -> None:
            pass

    return Bar
