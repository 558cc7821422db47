"""What each Spark task of a training run does: meet the others, start a training process, report.

A task does not raise when its process fails; it returns how. So the driver sees every failure, and can
tell the cause from what followed from it.  (docs/training.md)
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pyarrow as pa
from pyspark import BarrierTaskContext, TaskContext

from dp_spark.end_model.artifact import MODEL_FILE
from dp_spark.end_model.files import replace_file
from dp_spark.end_model.greeting import Greeting, can_connect, environment_failure, network_failure, versions
from dp_spark.end_model.job import (
    FAILURE_FILE,
    HISTORY_FILE,
    Failure,
    FailureKind,
    TrainingJob,
    WorkerJob,
    failure_name,
)
from dp_spark.end_model.memory import bytes_needed, free_memory

RESULT_SCHEMA = "rank long, failure string, model binary, history string, versions string"

_WORKER = "dp_spark.end_model.worker"
_TAIL_BYTES, _TAIL_LINES = 8192, 8  # how much of a crashed process's output the user sees
_BACKLOG = 128
_SPARKS_SECRET = "PYTHON_WORKER_FACTORY_SECRET"  # noqa: S105 - a name; a training process has no use for it

Results = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]


@dataclass(frozen=True)
class _Result:
    failure: Failure | None = None
    model: bytes | None = None
    history: str | None = None


def barrier_task(training: TrainingJob, key: bytes, num_threads: int, *, is_quiet: bool = False) -> Results:
    """The function for `mapInArrow(..., RESULT_SCHEMA, barrier=True)`, one task per worker.

    Args:
        training: the run.
        key: its secret; it travels in the task's closure, as encrypted as Spark's own traffic is.
        num_threads: TensorFlow's intra-op threads per worker.
        is_quiet: whether processes leave their line per epoch out, as the executor's log is the driver's.
    """

    def run_task(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for _ in batches:
            pass
        context = BarrierTaskContext.get()
        rank = context.partitionId()
        host = context.getTaskInfos()[rank].address.rsplit(":", 1)[0]
        with _listener(host if rank == 0 else None) as listener, _kept_port(training) as kept:
            port = listener.getsockname()[1] if rank == 0 else 0
            kept_port = kept.getsockname()[1]
            memory = free_memory()
            own = Greeting(
                host, port, sys.executable, versions(), kept_port, executor=os.getppid(), memory=memory
            )
            workers = _exchanged(context, own)
            failure = environment_failure(workers, bytes_needed(training.manifest, training.settings))
            if failure is None and len(workers) > 1:
                reaches_hub = rank == 0 or can_connect(workers[0].host, workers[0].port)
                failure = network_failure(_exchanged(context, replace(own, reaches_hub=reaches_hub)))
            if failure is None:
                with tempfile.TemporaryDirectory(prefix="dp_spark_", dir=_scratch()) as directory:
                    job = WorkerJob(
                        training=training,
                        rank=rank,
                        hub=(workers[0].host, workers[0].port),
                        key_hex=key.hex(),
                        listener_fd=listener.fileno() if rank == 0 else -1,
                        parent_pid=os.getpid(),
                        num_threads=num_threads,
                        output_directory=directory,
                        peers=_peers(training, workers),
                    )
                    result = _run_process(job, host, listener, is_quiet=is_quiet)
            else:
                result = _Result(failure)
        yield _batch(rank, result, own.versions)

    return run_task


def _exchanged(context: BarrierTaskContext, own: Greeting) -> list[Greeting]:
    """What all tasks say, by rank; takes about a second."""
    return [Greeting.from_json(text) for text in context.allGather(json.dumps(asdict(own)))]


def _listener(host: str | None) -> socket.socket:
    """Rank 0's listening socket on the address that Spark knows; an idle socket for the others."""
    listener = socket.socket()
    if host is not None:
        listener.bind((host, 0))
        listener.listen(_BACKLOG)
    return listener


def _kept_port(training: TrainingJob) -> socket.socket:
    """A socket that keeps a port for TensorFlow's server and never listens; an idle one if none starts."""
    kept = socket.socket()
    if training.settings.has_open_ports:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        kept.bind(("", 0))  # TensorFlow itself takes every interface
    return kept


def _peers(training: TrainingJob, workers: Sequence[Greeting]) -> tuple[tuple[str, int], ...]:
    if not training.settings.has_open_ports:
        return ()
    return tuple((worker.host, worker.tensorflow_port) for worker in workers)


def _run_process(job: WorkerJob, host: str, listener: socket.socket, *, is_quiet: bool) -> _Result:
    directory = Path(job.output_directory)
    log = directory / "stderr"
    with log.open("wb") as stderr:
        process = subprocess.Popen(  # noqa: S603 - this Python, this package
            [sys.executable, "-m", _WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL
            if is_quiet
            else sys.stderr.fileno(),  # one line per epoch, to the executor's log
            stderr=stderr,
            cwd=directory,
            env={**process_environment(job.num_threads, _gpus()), "TMPDIR": str(directory)},
            pass_fds=[job.listener_fd] if job.listener_fd >= 0 else [],
        )
        listener.close()  # else strangers reach it after the process has closed its own
        try:
            process.communicate(job.to_json().encode())
        finally:
            process.kill()
            process.wait()
    if process.returncode != 0:
        return _Result(_reported(job, _failure_of(job, host, process.returncode)))
    if job.rank != 0:
        return _Result()
    model = (directory / MODEL_FILE).read_bytes()
    return _Result(model=model, history=(directory / HISTORY_FILE).read_text())


def _reported(job: WorkerJob, failure: Failure) -> Failure:
    """Tell the driver at once: it need not wait for tasks that hang because this one has failed."""
    with contextlib.suppress(OSError):
        replace_file(f"{job.training.attempt_directory}/{failure_name(job.rank)}", failure.to_json().encode())
    return failure


def _scratch() -> str | None:
    """A directory that the executor deletes when it ends, also if this task is killed; None if that is not known."""
    place = os.environ.get("SPARK_LOCAL_DIRS", "").split(",")[0]
    return place if place and Path(place).is_dir() else None


def _gpus() -> list[str]:
    """The addresses of the GPUs that Spark gave to this task; empty if it gave none."""
    context = TaskContext.get()
    resources = context.resources() if context else {}
    return list(resources["gpu"].addresses) if "gpu" in resources else []


def process_environment(num_threads: int, gpus: Sequence[str]) -> dict[str, str]:
    """The environment of a training process.

    Args:
        num_threads: TensorFlow's intra-op threads.
        gpus: addresses of the GPUs that it may use; empty leaves that to the machine.
    """
    paths = [path or str(Path.cwd()) for path in sys.path]  # also what Spark added with --py-files
    inherited = {name: value for name, value in os.environ.items() if name != _SPARKS_SECRET}
    return {
        "TF_CPP_MIN_LOG_LEVEL": "2",
        **inherited,
        "PYTHONPATH": os.pathsep.join(paths),
        "KERAS_BACKEND": "tensorflow",
        "OMP_NUM_THREADS": str(num_threads),
        **({"CUDA_VISIBLE_DEVICES": ",".join(gpus)} if gpus else {}),
    }


def _failure_of(job: WorkerJob, host: str, status: int) -> Failure:
    described = Path(job.output_directory) / FAILURE_FILE
    with contextlib.suppress(OSError, ValueError, KeyError):  # not there, or cut off by a full disk
        return Failure.from_json(described.read_text())
    with (Path(job.output_directory) / "stderr").open("rb") as log:
        log.seek(max(0, log.seek(0, os.SEEK_END) - _TAIL_BYTES))
        lines = [line for line in log.read().decode(errors="replace").splitlines() if line.strip()]
    tail = "\n".join(lines[-_TAIL_LINES:])
    how = f"exit status {status}"
    if status < 0:
        how = signal.Signals(-status).name
        how += " (often the kernel or the cluster, for want of memory)" if -status == signal.SIGKILL else ""
    message = f"the training process of worker {job.rank} on {host} ended with {how}."
    return Failure(FailureKind.CRASHED, f"{message} Its last lines:\n{tail}" if tail else message)


def _batch(rank: int, result: _Result, versions: Mapping[str, str]) -> pa.RecordBatch:
    arrays = [
        pa.array([rank], pa.int64()),
        pa.array([result.failure.to_json() if result.failure else None], pa.string()),
        pa.array([result.model], pa.binary()),
        pa.array([result.history], pa.string()),
        pa.array([json.dumps(versions)], pa.string()),
    ]
    return pa.RecordBatch.from_arrays(arrays, names=["rank", "failure", "model", "history", "versions"])
