"""One training process: `python -m dp_spark.end_model.worker`, its job as JSON on standard input.

A fresh process for every attempt, since TensorFlow cannot be set up twice in Spark's reused Python
workers. It joins the other processes before it loads TensorFlow, so that they notice at once if it ends.
It leaves the model, or a description of its failure, in its output directory; standard output carries
one line per epoch.  (docs/training.md)
"""

import ctypes
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import cast

from dp_spark.end_model.collective import Alone, Collective, Watched, join_hub, open_hub
from dp_spark.end_model.job import FAILURE_FILE, Failure, FailureKind, WorkerJob
from dp_spark.end_model.settings import TrainingSettings
from dp_spark.errors import (
    ConfigError,
    DivergedError,
    DpSparkError,
    EnvironmentProblem,
    SchemaError,
    TrainingError,
)
from dp_spark.references import resolve_reference

TRAIN = "dp_spark.end_model.loop:train"
JOIN_TENSORFLOW = "dp_spark.end_model.tensorflow_collective:join"
JOIN_SECONDS = 120.0  # all processes start within about a second of each other

_PR_SET_PDEATHSIG = 1
_FAILED = 1
_WRONG_ARGUMENT = "InvalidArgumentError"  # TensorFlow's, for shapes that do not fit
_LOST = ("UnavailableError", "AbortedError", "CancelledError")  # TensorFlow's, for a process that ended
_SILENT = "DeadlineExceededError"

Train = Callable[[WorkerJob, Collective], None]
Join = Callable[[WorkerJob, Collective], Collective]


def main() -> int:
    """Run the job on standard input; returns the exit status."""
    job = WorkerJob.from_json(sys.stdin.read())
    _die_with(job.parent_pid)
    failure = run(job)
    if failure is None:
        return 0
    (Path(job.output_directory) / FAILURE_FILE).write_text(failure.to_json())
    return _FAILED


def run(job: WorkerJob) -> Failure | None:
    """Train; returns how it failed, if it did."""
    try:
        collective = _join(job)
    except TrainingError as problem:
        return Failure(FailureKind.PEER, str(problem))
    watched = Watched(collective)
    try:
        train = cast(Train, resolve_reference(TRAIN))
    except ConfigError as problem:
        return Failure(FailureKind.ENVIRONMENT, f"{problem} The workers' Python is {sys.executable}.")
    settings = job.training.settings
    try:
        if settings.has_open_ports:
            train(job, cast(Join, resolve_reference(JOIN_TENSORFLOW))(job, watched))
        else:
            train(job, watched if settings.num_workers > 1 else collective)
    except Exception as problem:  # whatever it is, the driver must hear of it
        lost = _lost_peer(problem, job) if settings.has_open_ports else None
        if watched.failure is not None or lost:
            kind = FailureKind.USER if isinstance(watched.failure, ConfigError) else FailureKind.PEER
            return Failure(kind, lost or str(watched.failure))
        traceback.print_exc()
        return _failure(problem, settings)
    finally:
        collective.close()
    return None


def _join(job: WorkerJob) -> Collective:
    settings, key = job.training.settings, bytes.fromhex(job.key_hex)
    if settings.num_workers == 1:
        return Alone()
    seconds = settings.timeout_seconds
    if job.rank == 0:
        listener = socket.socket(fileno=job.listener_fd)
        return open_hub(listener, key, settings.num_workers, min(seconds, JOIN_SECONDS), seconds)
    return join_hub(job.hub, key, job.rank, seconds)


def _lost_peer(problem: Exception, job: WorkerJob) -> str | None:
    """What to say of another process, if an error of TensorFlow's collective is about one."""
    if not type(problem).__module__.startswith("tensorflow"):
        return None
    name = type(problem).__name__
    if name in _LOST:
        return f"worker {job.rank} lost another worker ({name}): it ended or was killed."
    if name == _SILENT:
        return (
            f"another worker than {job.rank} has been silent for {job.training.settings.timeout_seconds:g} "
            "seconds: it hangs, or its machine is overloaded or gone. Look at the workers' logs, or raise "
            "timeout_seconds."
        )
    return None


def _failure(problem: Exception, settings: TrainingSettings) -> Failure:
    if isinstance(problem, DivergedError):
        return Failure(FailureKind.DIVERGED, str(problem))
    if isinstance(problem, EnvironmentProblem):
        return Failure(FailureKind.ENVIRONMENT, str(problem))
    if isinstance(problem, TrainingError):
        return Failure(FailureKind.UNFORESEEN, str(problem))
    if isinstance(problem, SchemaError):
        return Failure(FailureKind.DATA, str(problem))
    if isinstance(problem, DpSparkError):
        return Failure(FailureKind.USER, str(problem))
    text = f"{type(problem).__name__}: {problem}"
    is_tensorflows = type(problem).__module__.startswith("tensorflow")
    is_a_wrong_shape = type(problem).__name__ == _WRONG_ARGUMENT
    if isinstance(problem, (OSError, MemoryError)) or (is_tensorflows and not is_a_wrong_shape):
        return Failure(FailureKind.CRASHED, text)
    where = traceback.extract_tb(problem.__traceback__)[-1]
    kind = FailureKind.USER if settings.references else FailureKind.UNFORESEEN
    code = " or ".join(settings.references) or settings.model
    return Failure(kind, f"{code} raised {text} ({Path(where.filename).name}, line {where.lineno})")


def _die_with(parent_pid: int) -> None:
    """End this process when its parent does, so that no orphan trains on after a cancelled job."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # it ended before this line
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
