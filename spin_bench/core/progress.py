"""Long work shows its rate and what is left, where the person looks: a bar on a terminal, else a line a minute."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

T = TypeVar("T")

EVERY = 60.0  # seconds between two lines of a log


def rate(per_second: float) -> str:
    """Items per second, or seconds per item where that reads better."""
    return f"{per_second:.1f}/s" if per_second >= 1 else f"{1 / per_second:.1f} s each"


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(rate(task.speed) if task.speed else "")


def watched(
    items: Iterable[T], size: Callable[[T], int] = lambda item: 1, *, total: int, label: str, console: Console
) -> Iterator[T]:
    """Yield `items` while their progress is shown: how much of `total` is done, the rate, and the time left.

    `size` says how much of `total` an item is; nothing is shown if `total` is 0.
    """
    if not total or console.quiet:
        yield from items
        return
    with (_bar if console.is_terminal else _log)(total, label, console) as advance:
        for item in items:
            yield item
            advance(size(item))


@contextmanager
def _bar(total: int, label: str, console: Console) -> Iterator[Callable[[int], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(label, total=total)
        yield lambda count: progress.advance(task, count)


@contextmanager
def _log(total: int, label: str, console: Console) -> Iterator[Callable[[int], None]]:
    """A line at the start, one every minute also while a single item takes longer, and one at the end."""
    done, started, ended = 0, time.monotonic(), threading.Event()

    def say() -> None:
        console.print(line(label, done, total, time.monotonic() - started), highlight=False, soft_wrap=True)

    def beat() -> None:
        while not ended.wait(EVERY):
            say()

    def advance(count: int) -> None:
        nonlocal done
        done += count

    say()
    heart = threading.Thread(target=beat, daemon=True)
    heart.start()
    try:
        yield advance
    finally:
        ended.set()
        heart.join()
        if done:
            say()


def line(label: str, done: int, total: int, seconds: float) -> str:
    """`painting: 12 of 96, 3.0 s each, 4 min left`, after so many seconds; no rate before the first is done."""
    text = f"{label}: {done} of {total}"
    if not done or seconds <= 0:
        return text
    if done >= total:
        return f"{text}, {rate(done / seconds)}, {_duration(seconds)} in all"
    return f"{text}, {rate(done / seconds)}, {_duration((total - done) * seconds / done)} left"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def watcher(console: Console) -> Callable[[Iterator[int], int, str], None]:
    """A consumer of "done so far" counts that shows them on `console`; see `spin_bench.datasets.benchmarks.Watch`."""

    def watch(done: Iterator[int], total: int, label: str) -> None:
        for _ in watched(done, total=total, label=label, console=console):
            pass

    return watch
