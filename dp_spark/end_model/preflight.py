"""What must hold before a training run starts; each has one clear error instead of a long wait.

TensorFlow and its version are checked by the tasks themselves when they meet (`barrier_task`).
"""

import logging
import time
from collections.abc import Callable

from pyspark.errors import PySparkAttributeError
from pyspark.sql import SparkSession

from dp_spark.end_model.settings import TrainingSettings
from dp_spark.errors import EnvironmentProblem

logger = logging.getLogger(__name__)

EXECUTORS_SECONDS = 30.0  # executors may still be registering when a job begins
TOO_FEW_SLOTS = "SPARK-24819"  # in Spark's refusal of a barrier stage
_POLL_SECONDS = 1.0
_AUTHENTICATION = ("spark.authenticate", "spark.network.crypto.enabled", "spark.ssl.enabled")


def check_cluster(spark: SparkSession, num_workers: int, seconds: float = EXECUTORS_SECONDS) -> None:
    """Refuse a cluster on which a barrier stage of `num_workers` tasks cannot run.

    Raises:
        EnvironmentProblem: if dynamic allocation is on, or the cluster has too few slots.
    """
    if spark.conf.get("spark.dynamicAllocation.enabled", "false") == "true":
        raise EnvironmentProblem(
            "spark.dynamicAllocation.enabled is true: Spark refuses to start workers together (a barrier "
            "stage) then. Submit the training job with --conf spark.dynamicAllocation.enabled=false."
        )
    deadline = time.monotonic() + seconds
    slots = num_slots(spark)
    while slots is not None and slots < num_workers:
        if is_local(spark) or time.monotonic() > deadline:
            raise EnvironmentProblem(
                f"num_workers is {num_workers}, but the cluster runs only {slots} tasks at the same "
                "time. Ask for more executors or cores (for a local run: --master 'local[N]'), or lower "
                "num_workers."
            )
        time.sleep(_POLL_SECONDS)
        slots = num_slots(spark)


def warn_of_open_ports(property_of: Callable[[str, str], str | None], settings: TrainingSettings) -> None:
    """Warn where Spark's own ports ask who connects, and training is about to open ports that do not.

    Refusing would say nothing new: the settings have the user's word that the network is isolated.

    Args:
        property_of: a Spark property, or the default given.
        settings: of the run.
    """
    asking = [name for name in _AUTHENTICATION if property_of(name, "false") == "true"]
    if settings.has_open_ports and asking:
        logger.warning(
            "collective = 'tensorflow' opens a port on every interface of each of the %d workers that asks for no "
            "authentication, although %s is on: only the network policy protects it. Use collective = "
            "'authenticated' if strangers share the network.",
            settings.num_workers,
            ", ".join(asking),
        )


def task_cpus(spark: SparkSession) -> int:
    """The cores of one task."""
    return int(spark.conf.get("spark.task.cpus", "1") or "1")


def num_slots(spark: SparkSession) -> int | None:
    """How many tasks run at the same time, or None where Spark does not tell."""
    if spark.conf.get("spark.default.parallelism", "") != "":
        return None  # then defaultParallelism is that setting, not the number of cores
    try:
        return spark.sparkContext.defaultParallelism // task_cpus(spark)
    except PySparkAttributeError:  # Spark Connect has no SparkContext
        return None


def is_local(spark: SparkSession) -> bool:
    """Whether the driver is the only executor."""
    return str(spark.sparkContext.master).startswith("local[")
