"""The thread that looks every second how far Spark's jobs are, and shows it."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace

from pyspark import SparkContext

from dp_spark.progress.display import Display, new_display
from dp_spark.progress.job_counts import count_jobs
from dp_spark.progress.snapshot import Snapshot

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
_STOP_SECONDS = 2.0  # for a look at Spark that has begun


@dataclass(frozen=True)
class Work:
    """Something that takes long.

    Attributes:
        name: of the stage, or empty.
        what: is done in it, or empty.
        tag: of its Spark jobs.
        started: monotonic seconds.
    """

    name: str
    what: str
    tag: str
    started: float = field(default_factory=time.monotonic)


class Ticker:
    """Shows how far the innermost work is, until it is stopped.

    Attributes:
        display: shows it.
    """

    def __init__(self, context: SparkContext, display: Display, work: Work) -> None:
        self.display = display
        self._context = context
        self._works = [work]
        self._told: Snapshot | None = None
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dp_spark progress", daemon=True)
        self._thread.start()

    @contextmanager
    def inner(self, work: Work) -> Iterator[None]:
        """Show how far this work is while the block runs."""
        self._works.append(work)
        try:
            yield
        finally:
            self._works.remove(work)
            self._told = None

    def tell(self, snapshot: Snapshot) -> None:
        """Show this instead of Spark's tasks, until the innermost work ends."""
        self._told = snapshot

    def stop(self) -> None:
        """Stop looking, and take away what is shown."""
        self._is_over.set()
        self._thread.join(_STOP_SECONDS)
        try:
            self.display.close()
        except Exception:  # whatever it is: the work matters, not its display
            logger.debug("cannot take the progress away", exc_info=True)

    def _run(self) -> None:
        while not self._is_over.wait(POLL_SECONDS):
            try:
                snapshot = self._snapshot()
                if snapshot is not None and not self._is_over.is_set():
                    self.display.show(snapshot)
            except Exception:  # whatever it is: the work matters, not its display
                logger.debug("cannot show the progress", exc_info=True)

    def _snapshot(self) -> Snapshot | None:
        work, told = self._works[-1], self._told
        seconds = time.monotonic() - work.started
        if told is not None:  # lines of that work are its own
            known = replace(told, name=work.name, what=work.what, seconds=seconds)
            return known if self.display.is_bar else None
        counts = count_jobs(self._context, work.tag)
        is_under_way = 0 < counts.num_done < counts.num_tasks
        return Snapshot(
            name=work.name,
            what=work.what,
            num_done=counts.num_done,
            num_parts=counts.num_tasks,
            rows_per_second=counts.num_rows / seconds if seconds else 0.0,
            seconds_left=seconds * (counts.num_tasks / counts.num_done - 1) if is_under_way else None,
            seconds=seconds,
        )


_ticker: ContextVar[Ticker | None] = ContextVar("_ticker", default=None)


@contextmanager
def ticking(context: SparkContext, work: Work) -> Iterator[None]:
    """Show how far the work of the block is, if progress is shown.

    Args:
        context: Spark's.
        work: what the block does.
    """
    outer = _ticker.get()
    if outer is not None:
        with outer.inner(work):
            yield
        return
    display = new_display()
    if display is None:
        yield
        return
    ticker = Ticker(context, display, work)
    token = _ticker.set(ticker)
    try:
        yield
    finally:
        _ticker.reset(token)
        ticker.stop()


def tell_progress(snapshot: Snapshot) -> bool:
    """Show how far the work is that runs, in other parts than Spark's tasks; returns whether a bar shows it.

    Args:
        snapshot: its title and seconds are set here.
    """
    ticker = _ticker.get()
    if ticker is None:
        return False
    ticker.tell(snapshot)
    return ticker.display.is_bar
