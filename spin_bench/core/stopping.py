"""A run that is told to stop ends between two batches."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)  # Ctrl-C; what clusters send before they kill


class Stopped(KeyboardInterrupt):
    """The run ended early because `signum` came; nothing was lost."""

    def __init__(self, signum: int):
        super().__init__(signal.Signals(signum).name)
        self.signum = signum


class Stop:
    """Whether a run was told to stop. A second signal ends it at once."""

    def __init__(self) -> None:
        self._signum = 0

    def request(self, signum: int) -> None:
        """Let the next `check` raise."""
        self._signum = signum

    def check(self) -> None:
        """Raise `Stopped` where a signal has come."""
        if self._signum:
            raise Stopped(self._signum)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Within the block signals are noted; afterwards they do what they did. Only a main thread hears signals."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {signum: signal.signal(signum, self._note) for signum in SIGNALS}
        try:
            yield
        finally:
            for signum, handler in before.items():
                signal.signal(signum, handler)

    def _note(self, signum: int, _frame: FrameType | None) -> None:
        self.check()
        self.request(signum)
        # not print(): the signal may have come in the middle of one
        os.write(2, b"\nspin-bench: stopping after the batch in flight; once more to stop at once\n")
