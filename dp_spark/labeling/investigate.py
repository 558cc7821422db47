"""Whose fault it was: which labeling function ended its Python worker, on which row.

A worker that dies of a segmentation fault, of `os._exit` or for lack of memory can say nothing, and Spark reports
only that it is gone. The failed partition is then run once more, each batch in a child process that leaves a trail
in shared memory: which labeling function runs, and at which row. The child dies instead of the worker.
"""

import mmap
import os
import re
import signal
import struct
import time
from collections.abc import Iterable, Iterator

import pyarrow as pa
from pyspark import TaskContext
from pyspark.sql import DataFrame

from dp_spark.errors import DpSparkError, LabelingFunctionError
from dp_spark.labeling.ballot import Ballot
from dp_spark.labeling.batch_views import key_of
from dp_spark.labeling.voter import Voter
from dp_spark.progress.named_jobs import named_jobs
from dp_spark.tables import map_batches, quoted
from dp_spark.worker_errors import marked, translated_errors

_CRASH = re.compile(r"Python worker exited unexpectedly|Python worker.{0,80}crashed|worker.{0,40}terminated")
_TASK = re.compile(r"Task (\d+) in stage")
_POLL_SECONDS = 0.005
_GRACE_SECONDS = 30.0  # beyond three times all timeouts, for a child that neither ends nor dies
_NOTHING = -1


def is_crash(failure: str) -> bool:
    """Whether Spark's exception says that a Python worker died."""
    return _CRASH.search(failure) is not None


def name_the_crash(df: DataFrame, ballot: Ballot, failure: str) -> DpSparkError:
    """The error that names the labeling function which ended a Python worker; runs the failed partition again.

    Args:
        df: what the workers were sent.
        ballot: the labeling functions.
        failure: the text of Spark's exception.
    """
    found = _TASK.search(failure)
    partition = int(found[1]) if found else None

    def look(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        task = TaskContext.get()
        if partition is None or task is None or task.partitionId() == partition:
            for batch in batches:
                problem = _crash_of(batch, ballot)
                if problem is not None:
                    raise marked(problem)
        yield from ()

    try:
        with (
            translated_errors(),
            named_jobs(df.sparkSession, "looking for the LF that ended a Python worker"),
        ):
            map_batches(df, look, df.select(*map(quoted, ballot.key)).schema).count()
    except LabelingFunctionError as problem:
        return problem
    return LabelingFunctionError(
        f"a Python worker ended while the labeling functions {list(ballot.names)} ran, and did not when its data "
        "points were tried again: it may have been short of memory. Give executors more memory outside of the Java "
        "heap (spark.executor.memoryOverhead), or send smaller batches "
        "(spark.sql.execution.arrow.maxRecordsPerBatch)."
    )


def _crash_of(batch: pa.RecordBatch, ballot: Ballot) -> LabelingFunctionError | None:
    """What happens to a child process that casts the votes of a batch."""
    with mmap.mmap(-1, 8) as trail:

        def note(number: int) -> None:
            trail[:8] = struct.pack("q", number)

        note(_NOTHING)
        child = os.fork()
        if child == 0:
            try:
                Voter(ballot, note).votes_of(batch)
            finally:
                note(_NOTHING)  # an exception is no crash, and one with status 0 leaves the trail as it is
                os._exit(0)  # nothing of the parent's may be flushed twice
        status = _waited(child, 3 * sum(ballot.timeouts) + _GRACE_SECONDS)
        number = struct.unpack("q", trail[:8])[0]
    if number == _NOTHING:
        return None
    lf, row = number % len(ballot.names), number // len(ballot.names) - 1
    key = {name: batch.column(batch.schema.names.index(name)) for name in ballot.key}
    rows = f"the row {key_of(key, row)}" if row >= 0 else "a batch of data points"
    return LabelingFunctionError(
        f"labeling function {ballot.names[lf]!r} ended its Python worker on {rows}: {_ending(status)}. Expected it to "
        "return or raise. Correct it or the library that it calls, or leave it out."
    )


def _waited(child: int, seconds: float) -> int | None:
    """How a child process ended, as `os.waitpid` says; None if it had to be killed."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status
        time.sleep(_POLL_SECONDS)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def _ending(status: int | None) -> str:
    if status is None:
        return "it did not return, and could not be interrupted"
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        hint = " (the system ends processes so when memory runs out)" if name == "SIGKILL" else ""
        return f"the process died of {name}{hint}"
    code = os.WEXITSTATUS(status)
    return f"the process exited with status {code}" + (
        " (a timeout that no exception could interrupt, if the log shows a stack dump; else os._exit or a library)"
        if code == 1
        else " (by os._exit, or a library)"
    )
