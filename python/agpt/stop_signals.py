"""Turns SIGINT and SIGTERM into a stop at a point where nothing is lost."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any

STOPPING_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequested(BaseException):
    """A signal asked for the end while interruptible work was going on."""


class StopSignals:
    """While entered, a stopping signal is noted in `received` and raised in `interruptible()` only.

    So files are never left half written, and the engine stops within a step, which it undoes.
    Outside the main thread, where Python delivers no signals, this does nothing.
    """

    def __init__(self) -> None:
        """No signal has come yet."""
        self.received: signal.Signals | None = None
        self._armed = False
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "StopSignals":
        """Installs the handlers."""
        if threading.current_thread() is threading.main_thread():
            for number in STOPPING_SIGNALS:
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Puts the previous handlers back."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """Within it, a signal raises StopRequested, at once if it came earlier."""
        self._armed = True
        try:
            if self.received is not None:
                raise StopRequested
            yield
        finally:
            self._armed = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.received = signal.Signals(number)
        if self._armed:
            self._armed = False
            raise StopRequested
