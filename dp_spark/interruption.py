"""Ctrl-C and SIGTERM: Spark's jobs end, what was half written is removed, and the process says how to go on.

PySpark's own handler of Ctrl-C asks Spark to cancel while the main thread waits for Spark's answer on the same
connection: in Spark 4.1 that raises instead, and the job runs on. Here another thread asks, over its own connection;
the main thread then gets its answer, "cancelled", and raises. Only outside of a call of Java it raises at once.
"""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

logger = logging.getLogger(__name__)

EXIT_BASE = 128  # a process that a signal stopped ends with this plus the signal's number
SIGNALS = (signal.SIGINT, signal.SIGTERM)

_CANCEL_EVERY_SECONDS = 0.5  # a job that Spark is still planning does not hear the first call
_SAME_SECONDS = 0.5  # terminals, shells and supervisors may all pass on the same Ctrl-C
_WAIT_SECONDS = 10.0  # for an answer of Java, before the main thread is interrupted whatever it does
_END_SECONDS = 25.0  # from the signal to the end of the process, in any case


class Interrupted(KeyboardInterrupt):
    """A signal asked to stop; no `except Exception` catches it.

    Attributes:
        signal_number: which.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal.Signals(signal_number).name)
        self.signal_number = signal_number


@dataclass
class _State:
    """What was received, by the one handler that a process has.

    Attributes:
        received: the signal's number, or 0.
        received_at: monotonic seconds.
        is_raised: whether the main thread knows.
        is_forced: whether the next signal comes from here, and only is to raise.
        ends_process: whether the process is a job of ours, which then ends.
        cancels: what cancels the Spark jobs at work, innermost last.
    """

    received: int = 0
    received_at: float = 0.0
    is_forced: bool = False
    is_raised: bool = False
    ends_process: bool = False
    cancels: list[Callable[[], None]] = field(default_factory=list)


_state = _State()


def received_signal() -> int:
    """The number of the signal that the process received, 0 if none."""
    return _state.received


def is_job() -> bool:
    """Whether `job_signals` is at work."""
    return _state.ends_process


@contextmanager
def job_signals() -> Iterator[None]:
    """Let SIGINT and SIGTERM interrupt the block cleanly; a second one ends the process at once.

    Raises:
        Interrupted: from the block, in the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _on_signal) for number in SIGNALS}
    _state.ends_process = True
    try:
        with _interrupting():
            yield
    finally:
        if not _state.received:  # else the process is about to end, and a second signal ends it at once
            _state.ends_process = False
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def cancelled_when_interrupted(cancel: Callable[[], None]) -> Iterator[None]:
    """Call `cancel`, in another thread, when Ctrl-C is pressed in the block, and again until the block ends.

    Args:
        cancel: cancels the Spark jobs of the block.

    Raises:
        Interrupted: from the block, in the main thread.
    """
    with _handler_of_ours():
        _state.cancels.append(cancel)
        try:
            with _interrupting():
                yield
        finally:
            _state.cancels.remove(cancel)


@contextmanager
def kept_handlers() -> Iterator[None]:
    """Keep the handlers of `job_signals` over a block that starts Spark, which sets its own for SIGINT."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if before is _on_signal:
            signal.signal(signal.SIGINT, before)


def forget_signal() -> None:
    """Begin anew, after what was received has been answered."""
    _state.received, _state.is_raised, _state.is_forced = 0, False, False


@contextmanager
def _handler_of_ours() -> Iterator[None]:
    """Replace Python's or PySpark's handler of Ctrl-C, never a user's own; `job_signals` has done so already."""
    before = signal.getsignal(signal.SIGINT)
    is_plain = before is signal.default_int_handler or getattr(before, "__module__", "").startswith(
        "pyspark."
    )
    if threading.current_thread() is not threading.main_thread() or not is_plain:
        yield
        return
    signal.signal(signal.SIGINT, _on_signal)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        forget_signal()


@contextmanager
def _interrupting() -> Iterator[None]:
    """Raise Interrupted at the end of the block if a signal came, instead of what a cancelled job raises."""
    try:
        yield
        _raise_if_received()
    except Interrupted:
        raise
    except BaseException:
        _raise_if_received()
        raise


def _on_signal(number: int, frame: FrameType | None) -> None:
    is_second = bool(_state.received) and not _state.is_forced
    _state.is_forced = False
    if is_second and time.monotonic() - _state.received_at < _SAME_SECONDS:
        return
    if is_second and _state.ends_process:
        os._exit(EXIT_BASE + number)
    if not _state.received:
        _state.received, _state.received_at = number, time.monotonic()
        threading.Thread(target=_cancel_all, args=(number,), daemon=True).start()
        if _is_in_java(frame):
            return
    _raise_if_received()


def _raise_if_received() -> None:
    if _state.received:
        _state.is_raised = True
        raise Interrupted(_state.received) from None


def _is_in_java(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith("py4j."):
            return True
        frame = frame.f_back
    return False


def _cancel_all(number: int) -> None:
    """Cancel until the main thread has raised; then, in a job, see that the process ends in time."""
    started = time.monotonic()
    while _state.received == number and time.monotonic() - started < _WAIT_SECONDS:
        if _state.is_raised and not _state.cancels:
            break
        for cancel in list(_state.cancels):
            try:
                cancel()
            except Exception:  # whatever it is: Spark may be gone already
                logger.debug("cannot cancel", exc_info=True)
        time.sleep(_CANCEL_EVERY_SECONDS)
    if _state.received == number and not _state.is_raised:
        _state.is_forced = True
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    if _state.ends_process:
        time.sleep(max(0.0, started + _END_SECONDS - time.monotonic()))
        sys.stderr.write("interrupted, and ended without waiting any longer for Spark\n")
        sys.stderr.flush()
        os._exit(EXIT_BASE + number)
