"""Progress without a terminal: a line at the start, one a minute however long an item takes, counted in images."""

import io
import time

import pytest
from rich.console import Console

from spin_bench.core import progress
from spin_bench.core.progress import line, watched


def _console(**options: object) -> Console:
    return Console(file=io.StringIO(), width=200, **options)


@pytest.mark.parametrize(
    ("done", "seconds", "text"),
    [
        (0, 120, "painting: 0 of 96"),
        (12, 36, "painting: 12 of 96, 3.0 s each, 4 min left"),
        (12, 4, "painting: 12 of 96, 3.0/s, 28 s left"),
        (1, 3600, "painting: 1 of 96, 3600.0 s each, 95.0 h left"),
        (96, 300, "painting: 96 of 96, 3.1 s each, 5 min in all"),
    ],
)
def test_a_line_says_rate_and_what_is_left(done: int, seconds: float, text: str):
    assert line("painting", done, 96, seconds) == text


def test_a_log_speaks_at_the_start_and_while_one_item_takes_long(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(progress, "EVERY", 0.05)
    console = _console()
    for item in watched([4, 2], lambda count: count, total=6, label="painting", console=console):
        assert console.file.getvalue().startswith("painting: 0 of 6\n")
        time.sleep(0.2 if item == 4 else 0.12)
    lines = console.file.getvalue().splitlines()
    assert lines.count("painting: 0 of 6") >= 3  # during the first item
    assert any(text.startswith("painting: 4 of 6, ") and text.endswith(" left") for text in lines)
    assert lines[-1].startswith("painting: 6 of 6, ") and lines[-1].endswith(" in all")


def test_what_is_quiet_or_nothing_says_nothing():
    for console, total in ((_console(quiet=True), 2), (_console(), 0)):
        assert list(watched([1, 2], total=total, label="painting", console=console)) == [1, 2]
        assert console.file.getvalue() == ""


def test_a_terminal_has_a_bar():
    console = _console(force_terminal=True)
    assert list(watched(range(3), total=3, label="painting", console=console)) == [0, 1, 2]
    assert "3/3" in console.file.getvalue()


def test_an_error_ends_the_lines():
    console = _console()
    with pytest.raises(RuntimeError):
        for _ in watched([1], total=1, label="painting", console=console):
            raise RuntimeError
    assert console.file.getvalue() == "painting: 0 of 1\n"
