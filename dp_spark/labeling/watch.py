"""A watch over other people's code: a labeling function that hangs, or prints without end.

The watch ticks by a timer signal. It costs nothing per data point: at a tick it looks whether the same labeling
function still is at the same data point as before. Python code, also a regular expression that backtracks
without end, is interrupted by an exception; code that never comes back to the interpreter is ended with its
process, after twice the time, and `investigate.py` then finds out whose it was.
"""

import contextlib
import faulthandler
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from io import TextIOBase
from types import FrameType
from typing import BinaryIO, TextIO

LF_TIMEOUT_SECONDS = 600.0  # a data point, or a batch, that takes ten minutes hangs
_MAX_TICK_SECONDS = 1.0
_TICKS_PER_TIMEOUT = 4
# Beyond twice the timeout, before a process that does not react is ended; read from a worker's environment.
_GRACE_SECONDS = float(os.environ.get("DP_SPARK_HANG_GRACE_SECONDS", "10"))
MAX_PRINTED = 1 << 16  # characters per task that labeling functions may print; the rest is dropped, counted


class TimedOutError(BaseException):
    """A labeling function took longer than it may; no `except Exception` of its own catches it."""


class Watch:
    """What runs, since when, and how long it may.

    Attributes:
        trail: told the number of the labeling function that runs; for the search for a crash.
    """

    def __init__(self, trail: Callable[[int], None] | None = None) -> None:
        self._trail = trail
        self._lf = -1
        self._timeout = 0.0
        self._position: Callable[[], object] = int
        self._seen: object = None
        self._since = 0.0

    def running(self, lf: int, timeout_seconds: float, position: Callable[[], object]) -> None:
        """Say which labeling function runs from now on, how long it may, and where it is."""
        if self._trail is not None:
            self._trail(lf)
        self._lf, self._timeout, self._position = lf, timeout_seconds, position
        self._seen, self._since = None, 0.0

    def rest(self) -> None:
        """Say that none runs: what the engine does in between is nobody's time."""
        self._timeout = 0.0

    @contextlib.contextmanager
    def on(self, timeouts_seconds: Sequence[float]) -> Iterator[None]:
        """Watch the block; in a thread, where no signal arrives, or without timer signals, it does nothing.

        Args:
            timeouts_seconds: of all labeling functions that may run in it.
        """
        in_main = threading.current_thread() is threading.main_thread()
        if not (in_main and hasattr(signal, "setitimer") and timeouts_seconds):
            yield
            return
        tick = min(_MAX_TICK_SECONDS, min(timeouts_seconds) / _TICKS_PER_TIMEOUT)
        before = signal.signal(signal.SIGALRM, self._tick)
        signal.setitimer(signal.ITIMER_REAL, tick, tick)
        _end_process_later(max(timeouts_seconds))
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
            faulthandler.cancel_dump_traceback_later()
            self.running(-1, 0.0, int)

    def _tick(self, signal_number: int, frame: FrameType | None) -> None:
        if self._timeout <= 0:
            return
        position, now = (self._lf, self._position()), time.monotonic()
        if position != self._seen:
            self._seen, self._since = position, now
            _end_process_later(self._timeout)
        elif now - self._since >= self._timeout:
            self._since = now
            raise TimedOutError(f"took longer than {self._timeout:g} seconds")


def _end_process_later(timeout_seconds: float) -> None:
    with contextlib.suppress(OSError, ValueError, AttributeError, RuntimeError):  # no stderr to write to
        limit = 2 * timeout_seconds + _GRACE_SECONDS
        faulthandler.dump_traceback_later(limit, exit=True, file=sys.__stderr__ or sys.stderr)


class LimitedOutput(TextIOBase):
    """A text stream that passes on its first characters and drops, but counts, the others."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.num_written = 0

    def write(self, text: str) -> int:
        """Pass on what still fits."""
        room = MAX_PRINTED - self.num_written
        self.num_written += len(text)
        if room > 0:
            self._stream.write(text[:room])
        return len(text)

    def flush(self) -> None:
        """Flush the stream behind."""
        self._stream.flush()

    def writable(self) -> bool:
        """True, as libraries ask."""
        return True

    def fileno(self) -> int:
        """The file behind, for child processes; what they print is not counted."""
        return self._stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override] # TextIOBase has none
        """That of the stream behind."""
        return self._stream.encoding

    @property
    def buffer(self) -> BinaryIO:
        """The bytes of the stream behind, which are not counted."""
        return self._stream.buffer
