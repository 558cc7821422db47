"""What labeling functions did in a task: rows, votes, errors, time, memory; as integers that add up.

The tally of a task leaves it in two columns of its last batch, beside the votes, so that it is on storage if
and only if the task's votes are: a task that Spark runs twice counts once.
"""

import linecache
import os
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dp_spark.labeling.votes import Classes, Votes

TALLY_COLUMN = "_dp_spark_tally"
ERRORS_COLUMN = "_dp_spark_errors"
TALLY_TYPE = "array<bigint>"
ERRORS_TYPE = "array<struct<lf:int,row:string,error:string,line:string,message:string>>"
_ERRORS_ARROW = pa.list_(
    pa.struct([("lf", pa.int32())] + [(name, pa.string()) for name in ("row", "error", "line", "message")])
)

ROWS, ERRORS, NANOSECONDS, GROWTH_KIB, NUM_FIXED = 0, 1, 2, 3, 4  # then votes per class
NUM_SAMPLES = 3  # errors per labeling function that are kept
MAX_MESSAGE = 200  # characters of an exception's message, where messages are shown at all


@dataclass(frozen=True, order=True)
class ErrorSample:
    """One failure of a labeling function.

    Attributes:
        row: the key of the data point, as text.
        error: the type of the exception, with its errno if it has one.
        line: where in the labeling function's own file, with the source of that line if it is at hand.
        message: of the exception; empty unless asked for, as it may hold values of the row.
    """

    row: str
    error: str
    line: str
    message: str = ""

    def __str__(self) -> str:
        """One line."""
        message = f": {self.message}" if self.message else ""
        return f"row {self.row}: {self.error}{message}{f' at {self.line}' if self.line else ''}"


def error_sample(row: str, problem: BaseException, own_file: str, *, with_message: bool) -> ErrorSample:
    """The sample of a failure.

    Args:
        row: the key of the data point.
        problem: what was raised.
        own_file: the source file of the labeling function.
        with_message: whether the exception's message may be kept.
    """
    number = _errno_of(problem)
    symbol = f" (errno {number}: {os.strerror(number)})" if number is not None else ""
    message = str(problem)[:MAX_MESSAGE] if with_message else ""
    return ErrorSample(row, f"{type(problem).__name__}{symbol}", _own_line(problem, own_file), message)


def _errno_of(problem: BaseException | None) -> int | None:
    """The system's number for what went wrong, also of the exception behind one of a library; None if unknown."""
    while problem is not None:
        number = getattr(problem, "errno", None)
        if isinstance(number, int) and number > 0:
            return number
        problem = problem.__cause__ or problem.__context__
    return None


def _own_line(problem: BaseException, own_file: str) -> str:
    frames = traceback.extract_tb(problem.__traceback__)
    own = [frame for frame in frames if frame.filename == own_file] or frames[-1:]
    if not own:
        return ""
    frame = own[-1]
    source = (linecache.getline(frame.filename, frame.lineno or 0) or frame.line or "").strip()
    place = f"{os.path.basename(frame.filename)}:{frame.lineno}"
    return f"{place}: {source}" if source else place


@dataclass(frozen=True)
class Tally:
    """The sums of one task: grows with every batch.

    Attributes:
        numbers: (m + number of preprocessors, NUM_FIXED + k) int64.
        samples: up to NUM_SAMPLES errors for each of m labeling functions.
    """

    numbers: npt.NDArray[np.int64]
    samples: tuple[list[ErrorSample], ...] = field(default_factory=tuple)

    @classmethod
    def empty(cls, num_lfs: int, num_preprocessors: int, classes: Classes) -> "Tally":
        """The tally of a task that has seen nothing."""
        shape = (num_lfs + num_preprocessors, NUM_FIXED + classes.num_classes)
        return cls(np.zeros(shape, dtype=np.int64), tuple([] for _ in range(num_lfs)))

    def add_votes(self, votes: Votes, classes: Classes) -> None:
        """Count a batch of votes: (rows, m)."""
        num_lfs = len(self.samples)
        self.numbers[:num_lfs, ROWS] += len(votes)
        for offset, vote in enumerate(classes.votes):
            self.numbers[:num_lfs, NUM_FIXED + offset] += (votes == vote).sum(axis=0)

    def arrow(self, num_rows: int) -> list[pa.Array]:
        """The two columns for the last batch of a task: null but in its first row."""
        errors = [
            {"lf": lf, "row": s.row, "error": s.error, "line": s.line, "message": s.message}
            for lf, samples in enumerate(self.samples)
            for s in samples
        ]
        rest = [None] * (num_rows - 1)
        return [
            pa.array([self.numbers.ravel().tolist(), *rest], pa.list_(pa.int64())),
            pa.array([errors or None, *rest], _ERRORS_ARROW),
        ]


def no_tally(num_rows: int) -> list[pa.Array]:
    """The two columns for every other batch."""
    return [pa.nulls(num_rows, pa.list_(pa.int64())), pa.nulls(num_rows, _ERRORS_ARROW)]


def failures_text(samples: Sequence[ErrorSample]) -> str:
    """Samples as the lines of an error message."""
    return "".join(f"\n  {sample}" for sample in samples)
