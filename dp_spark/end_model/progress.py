"""How far a training run is: worker 0 writes it beside the checkpoints, the driver reads it there.

A small file that is replaced about once a second needs no port and reaches the driver wherever the training set
lies. It is also the run's pulse: a run without news is one that hangs.
"""

import contextlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Literal

from dp_spark.end_model.files import replace_file

PROGRESS_FILE = "progress.json"
SECONDS_BETWEEN = 1.0

Phase = Literal["started", "joined", "training", "trained"]


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        phase: what worker 0 does.
        epoch, step: done, the steps of the epoch that is not done.
        num_epochs, num_steps: in all, and per epoch; 0 while they are not known.
        rows_per_second: over the last moments, of all workers; 0 while not known.
        loss: mean of the epoch so far.
        metrics: of the last epoch that is done.
        pulse: another number in every message.
    """

    phase: Phase
    epoch: int = 0
    step: int = 0
    num_epochs: int = 0
    num_steps: int = 0
    rows_per_second: float = 0.0
    loss: float = 0.0
    metrics: Mapping[str, float] | None = None
    pulse: int = 0

    def to_json(self) -> str:
        """The progress as JSON."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> "Progress":
        """What `to_json` wrote."""
        return Progress(**json.loads(text))

    def seconds_left(self, rows_per_epoch: int) -> float | None:
        """How long the rest of the epochs takes at this pace, or None if that is not known.

        Args:
            rows_per_epoch: of all workers.
        """
        if not (self.rows_per_second and self.num_steps):
            return None
        epochs_left = self.num_epochs - self.epoch - self.step / self.num_steps
        return epochs_left * rows_per_epoch / self.rows_per_second


@dataclass
class Reporter:
    """Writes progress, at most once a second unless it must not be lost.

    Attributes:
        directory: of the attempt; None to write nothing (all workers but the first).
    """

    directory: str | None
    clock: Callable[[], float] = time.monotonic
    _last: float = float("-inf")
    _phase: str = ""
    _pulse: int = 0

    def tell(self, progress: Progress, *, at_once: bool = False) -> None:
        """Write this progress if the last is a second old, or of another phase: silence is measured by the phase.

        Args:
            progress: its pulse is set here.
            at_once: write it in any case.
        """
        now = self.clock()
        is_due = at_once or progress.phase != self._phase or now - self._last >= SECONDS_BETWEEN
        if self.directory is None or not is_due:
            return
        self._last, self._phase, self._pulse = now, progress.phase, self._pulse + 1
        with contextlib.suppress(OSError):  # the next may succeed; training does not need it
            replace_file(
                f"{self.directory}/{PROGRESS_FILE}", replace(progress, pulse=self._pulse).to_json().encode()
            )
