"""How much memory a training process needs and finds: known before it starts, not when it is killed.

A process that outgrows its container is killed without a word; a task that meets the limit of
`spark.executor.pyspark.memory` fails in some library.
"""

import resource
from pathlib import Path

from dp_spark.end_model.settings import TrainingSettings
from dp_spark.labels.manifest import ShardManifest

TENSORFLOW_BYTES = (
    700 << 20
)  # of a process that has loaded TensorFlow and a small model (measured: 0.5 to 0.7 GB)
READING_BYTES = 512 << 20  # at most, of row groups on their way into batches

_CGROUP = Path("/sys/fs/cgroup")
_CGROUP_FILES = (
    ("memory.max", "memory.current"),  # version 2
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),  # version 1
)
_MEMORY = Path("/proc/meminfo")


def bytes_needed(manifest: ShardManifest, settings: TrainingSettings) -> int:
    """About how much memory one worker takes, the model itself not counted.

    Args:
        manifest: the training set.
        settings: workers and cache.
    """
    held = int(
        manifest.num_data_points * (manifest.row_bytes + 4 * manifest.num_classes) / settings.num_workers
    )
    rows = held if held < settings.cache_bytes else min(held, READING_BYTES)
    return TENSORFLOW_BYTES + rows


def bytes_available() -> int | None:
    """How much memory a new process can take here, or None where the system does not tell."""
    limits = [limit for limit in (_of_machine(), _of_container(), _of_process()) if limit is not None]
    return min(limits, default=None)


def _of_machine() -> int | None:
    if not _MEMORY.exists():
        return None
    for line in _MEMORY.read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _of_container() -> int | None:
    for limit_file, used_file in _CGROUP_FILES:
        limit, used = _CGROUP / limit_file, _CGROUP / used_file
        if limit.exists() and used.exists() and limit.read_text().strip().isdigit():
            return max(0, int(limit.read_text()) - int(used.read_text()))
    return None


def _of_process() -> int | None:
    """Spark sets this limit in its Python workers to `spark.executor.pyspark.memory`; processes inherit it."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if limit == resource.RLIM_INFINITY else limit
