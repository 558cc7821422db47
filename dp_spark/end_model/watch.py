"""The driver's view of a training run: progress for people, failures and silence for the launcher."""

import logging
import time
from dataclasses import dataclass, field

from py4j.protocol import Py4JJavaError

from dp_spark.end_model.job import Failure, FailureKind, cause_of, failure_name
from dp_spark.end_model.progress import PROGRESS_FILE, Progress
from dp_spark.errors import MissingResultError
from dp_spark.progress.snapshot import Snapshot
from dp_spark.progress.ticker import tell_progress
from dp_spark.storage import Storage, join_path

logger = logging.getLogger(__name__)

START_SECONDS = 900.0  # until the first steps: TensorFlow is loaded, shards are checked and perhaps kept
GRACE_SECONDS = 5.0  # how long tasks may take to end after one of them has failed, or the driver fell silent
SECONDS_BETWEEN_LINES = 10.0  # within an epoch
# A storage error, a file that is being replaced, half of one: the next look may succeed.
_UNREADABLE = (Py4JJavaError, MissingResultError, ValueError, TypeError, KeyError)
_SHOWN = ("loss", "accuracy", "validation_loss")


@dataclass
class Watch:
    """Looks at one attempt.

    Attributes:
        storage: the file systems.
        directory: of the attempt.
        num_workers: N.
        timeout_seconds: how long worker 0 may be silent once it trains.
        rows_per_epoch: of all workers, for the time left.
    """

    storage: Storage
    directory: str
    num_workers: int
    timeout_seconds: float
    rows_per_epoch: int
    _seen: Progress = field(default_factory=lambda: Progress("started"))
    _seen_at: float = field(default_factory=time.monotonic)
    _line_at: float = field(default_factory=time.monotonic)
    _failed_at: float | None = None

    def __call__(self) -> Failure | None:
        """Why the attempt should be given up, or None; logs how far it is."""
        now = time.monotonic()
        failures = self.failures()
        if failures:
            self._failed_at = self._failed_at or now
            if now - self._failed_at > GRACE_SECONDS:
                return cause_of(failures)
            return None
        self.look()
        limit = self.timeout_seconds + GRACE_SECONDS
        if self._seen.phase in ("started", "joined"):
            limit = max(limit, START_SECONDS)
        if now - self._seen_at <= limit:
            return None
        return Failure(
            FailureKind.PEER,
            f"worker 0 has given no news for {now - self._seen_at:.0f} seconds (it was last seen "
            f"{_where(self._seen)}): it hangs, its machine is overloaded or gone, or {self.directory} is not on "
            "storage that it shares with the driver. Look at its log, or raise timeout_seconds.",
        )

    def failures(self) -> list[Failure]:
        """What the workers' tasks have reported."""
        found = []
        try:
            names = set(self.storage.list_names(self.directory))
            for rank in range(self.num_workers):
                if failure_name(rank) in names:
                    text = self.storage.read_text(join_path(self.directory, failure_name(rank)))
                    found.append(Failure.from_json(text))
        except _UNREADABLE:
            logger.debug("cannot read %s now", self.directory, exc_info=True)
        return found

    def _progress(self) -> Progress | None:
        """What worker 0 last wrote, or None if it cannot be read now: silence has its own limit."""
        path = join_path(self.directory, PROGRESS_FILE)
        try:
            return Progress.from_json(self.storage.read_text(path)) if self.storage.exists(path) else None
        except _UNREADABLE:
            logger.debug("cannot read %s now", path, exc_info=True)
            return None

    def look(self) -> None:
        """Log how far the attempt is, if it has got further."""
        progress = self._progress()
        if progress is None or progress.pulse == self._seen.pulse:
            return
        now, is_new_epoch = time.monotonic(), progress.epoch > self._seen.epoch
        self._seen, self._seen_at = progress, now
        has_bar = tell_progress(snapshot_of(progress, self.rows_per_epoch))
        is_line_due = progress.phase == "training" and now - self._line_at >= SECONDS_BETWEEN_LINES
        if is_new_epoch or (is_line_due and not has_bar):
            self._line_at = now
            logger.info("%s", progress_text(progress, self.rows_per_epoch))


def snapshot_of(progress: Progress, rows_per_epoch: int) -> Snapshot:
    """Progress as a bar shows it: epochs."""
    return Snapshot(
        name="",
        what="",
        num_done=progress.epoch,
        num_parts=progress.num_epochs,
        unit="epochs",
        rows_per_second=progress.rows_per_second,
        seconds_left=progress.seconds_left(rows_per_epoch),
    )


def progress_text(progress: Progress, rows_per_epoch: int) -> str:
    """Progress as one line for a log."""
    if progress.step:
        percent = 100 * progress.step // max(1, progress.num_steps)
        parts = [f"epoch {progress.epoch + 1}/{progress.num_epochs} {percent}% loss={progress.loss:.4f}"]
    else:
        metrics = progress.metrics or {}
        shown = [f"{name}={metrics[name]:.4f}" for name in _SHOWN if name in metrics]
        parts = [f"epoch {progress.epoch}/{progress.num_epochs}", *shown]
    if progress.rows_per_second:
        parts.append(f"rows/s={progress.rows_per_second:,.0f}")
    left = progress.seconds_left(rows_per_epoch)
    if left is not None:
        parts.append(f"seconds_left={left:,.0f}")
    return "training: " + " ".join(parts)


def _where(progress: Progress) -> str:
    if progress.phase != "training":
        return {"started": "starting", "joined": "loading", "trained": "saving the model"}[progress.phase]
    return f"in epoch {progress.epoch + 1}, step {progress.step} of {progress.num_steps}"
