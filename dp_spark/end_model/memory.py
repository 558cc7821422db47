"""How much memory a training process needs and finds: known before it starts, not when it is killed.

A process that outgrows its container is killed without a word; a task that meets the limit of
`spark.executor.pyspark.memory` fails in some library.
"""

import resource
from dataclasses import dataclass
from pathlib import Path

from dp_spark.end_model.settings import TrainingSettings
from dp_spark.labels.manifest import ShardManifest

TENSORFLOW_BYTES = (
    700 << 20
)  # of a process that has loaded TensorFlow and a small model (measured: 0.5 to 0.7 GB)
READING_BYTES = 512 << 20  # at most, of row groups on their way into batches

_CGROUP = Path("/sys/fs/cgroup")
_FILES_V2, _FILES_V1 = ("inactive_file", "active_file"), ("total_inactive_file", "total_active_file")
_CGROUP_FILES = (
    ("memory.max", "memory.current", "memory.stat", _FILES_V2),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat", _FILES_V1),
)
_MEMORY = Path("/proc/meminfo")


@dataclass(frozen=True)
class FreeMemory:
    """How much memory new processes can take, in bytes; None where the system does not tell.

    Attributes:
        machine: all processes of the machine together.
        container: all processes of this container together; what the kernel keeps of files counts as free.
        process: a single process: `spark.executor.pyspark.memory`, which Spark sets as a limit of its Python
            workers and their children inherit.
    """

    machine: int | None = None
    container: int | None = None
    process: int | None = None


def bytes_needed(manifest: ShardManifest, settings: TrainingSettings) -> int:
    """About how much memory one worker takes, the model itself not counted.

    Args:
        manifest: the training set.
        settings: workers and cache.
    """
    held = int(manifest.num_data_points * manifest.held_row_bytes / settings.num_workers)
    rows = held if held < settings.cache_bytes else min(held, READING_BYTES)
    return TENSORFLOW_BYTES + rows


def free_memory() -> FreeMemory:
    """What is free here and now."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return FreeMemory(_of_machine(), _of_container(), None if limit == resource.RLIM_INFINITY else limit)


def _of_machine() -> int | None:
    return _field(_MEMORY, "MemAvailable:", 1024) if _MEMORY.exists() else None


def _of_container() -> int | None:
    for limit_file, used_file, statistics, cached in _CGROUP_FILES:
        limit, used = _CGROUP / limit_file, _CGROUP / used_file
        if limit.exists() and used.exists() and limit.read_text().strip().isdigit():
            of_files = sum(_field(_CGROUP / statistics, name, 1) or 0 for name in cached)
            return max(0, int(limit.read_text()) - int(used.read_text()) + of_files)
    return None


def _field(file: Path, name: str, unit: int) -> int | None:
    """The number after a name in a file of lines, in bytes."""
    lines = file.read_text().splitlines() if file.exists() else []
    numbers = [int(line.split()[1]) for line in lines if line.split()[:1] == [name]]
    return numbers[0] * unit if numbers else None
