"""Long work shows its rate and what is left, where the person looks."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

T = TypeVar("T")


class _Rate(ProgressColumn):
    """Items a second, or seconds an item where that reads better."""

    def render(self, task: Task) -> Text:
        if not task.speed:
            return Text("")
        return Text(f"{task.speed:.1f}/s" if task.speed >= 1 else f"{1 / task.speed:.1f} s each")


def watched(items: Iterable[T], *, total: int, label: str, console: Console) -> Iterator[T]:
    """Yield `items` under a progress bar with rate and time left; under none where there are no items."""
    if not total:
        yield from items
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(label, total=total)
        for item in items:
            yield item
            progress.advance(task)


def watcher(console: Console) -> Callable[[Iterator[int], int, str], None]:
    """A consumer of "done so far" counts that shows them on `console`; see `spin_bench.datasets.benchmarks.Watch`."""

    def watch(done: Iterator[int], total: int, label: str) -> None:
        for _ in watched(done, total=total, label=label, console=console):
            pass

    return watch
