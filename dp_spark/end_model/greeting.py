"""What the tasks of a training run tell each other before they start, and what keeps them from starting."""

import importlib.metadata
import importlib.util
import json
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dp_spark import __version__
from dp_spark.end_model.job import Failure, FailureKind
from dp_spark.end_model.memory import FreeMemory

_TENSORFLOW_PACKAGES = ("tensorflow", "tensorflow-cpu", "tensorflow-intel")
_CONNECT_SECONDS = 10.0


@dataclass(frozen=True)
class Greeting:
    """What the tasks tell each other before they start."""

    host: str
    port: int  # of rank 0's listener
    python: str
    versions: Mapping[str, str]
    tensorflow_port: int = 0  # kept for TensorFlow's server; 0 if it starts none
    executor: int = 0  # the process that forked this task's: the same for all tasks of an executor
    memory: FreeMemory = FreeMemory()
    reaches_hub: bool = True

    @staticmethod
    def from_json(text: str) -> "Greeting":
        """The greeting whose fields are in a JSON text."""
        content = json.loads(text)
        return Greeting(**{**content, "memory": FreeMemory(**content["memory"])})


def versions() -> Mapping[str, str]:
    """The versions that must agree; TensorFlow's is empty if it is not there. Imports none of them."""
    found = ""
    if importlib.util.find_spec("tensorflow") is not None:
        found = next(filter(None, map(_version, _TENSORFLOW_PACKAGES)), "unknown")
    others = {name: _version(name) for name in ("keras", "numpy", "pyarrow")}
    python = ".".join(map(str, sys.version_info[:3]))
    return {"tensorflow": found, "python": python, "dp_spark": __version__, **others}


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def can_connect(host: str, port: int) -> bool:
    """Whether something listens there and can be reached from here."""
    try:
        with socket.create_connection((host, port), timeout=_CONNECT_SECONDS):
            return True
    except OSError:
        return False


def environment_failure(workers: Sequence[Greeting], needed_bytes: int = 0) -> Failure | None:
    """What keeps these workers from training together, if anything does.

    Args:
        workers: what they say of themselves.
        needed_bytes: of memory, per worker.
    """
    without = sorted({f"{w.python} on {w.host}" for w in workers if not w.versions["tensorflow"]})
    if without:
        message = (
            f"TensorFlow is not installed for the workers' Python: {', '.join(without)}. Install "
            "dp-spark[tensorflow] there, or set PYSPARK_PYTHON to the Python that has it."
        )
        return Failure(FailureKind.ENVIRONMENT, message)
    versions = sorted({json.dumps(worker.versions, sort_keys=True) for worker in workers})
    if len(versions) > 1:
        message = (
            f"the workers have different versions: {'; '.join(versions)}. Give all executors the same "
            "environment."
        )
        return Failure(FailureKind.ENVIRONMENT, message)
    return _memory_failure(workers, needed_bytes)


def _memory_failure(workers: Sequence[Greeting], needed_bytes: int) -> Failure | None:
    """Whether machines, containers and processes have room for their workers."""
    machines = [(worker.host, worker.memory.machine) for worker in workers]
    containers = [
        (f"executor {worker.executor} on {worker.host}", worker.memory.container) for worker in workers
    ]
    processes = [(f"worker {i} on {w.host}", w.memory.process) for i, w in enumerate(workers)]
    for place, free, num_workers in [*_by_place(machines), *_by_place(containers), *_by_place(processes)]:
        if free < needed_bytes * num_workers:
            message = (
                f"{place} has {free >> 20:,} MB of memory for {num_workers} training worker(s) that need about "
                f"{needed_bytes >> 20:,} MB each. Raise spark.executor.memoryOverhead (and "
                "spark.executor.pyspark.memory if it is set), lower cache_bytes, or use more machines."
            )
            return Failure(FailureKind.ENVIRONMENT, message)
    return None


def _by_place(free: Sequence[tuple[str, int | None]]) -> list[tuple[str, int, int]]:
    """For each place that tells its free bytes: the place, the bytes, and how many workers are there."""
    known = [(place, number) for place, number in free if number is not None]
    places = sorted({place for place, _ in known})
    of_place = {place: [number for there, number in known if there == place] for place in places}
    return [(place, min(numbers), len(numbers)) for place, numbers in of_place.items()]


def network_failure(workers: Sequence[Greeting]) -> Failure | None:
    """Whether all workers reach the first one, where training would otherwise wait in vain."""
    hub, cut_off = workers[0], sorted({worker.host for worker in workers if not worker.reaches_hub})
    if not cut_off:
        return None
    message = (
        f"the executors on {', '.join(cut_off)} cannot connect to {hub.host}:{hub.port}, where worker 0 listens. "
        "The executors must reach each other on ephemeral TCP ports; check firewalls and network policies."
    )
    return Failure(FailureKind.ENVIRONMENT, message)
