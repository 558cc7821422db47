"""Starts the training processes as one Spark barrier stage, and starts them again if machines fail.

Spark itself does not retry a barrier stage whose result is collected; the loop here does, and the
processes go on from their last checkpoint. Errors that would come again are not retried.
(docs/training.md)
"""

import json
import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Row, SparkSession

from dp_spark.end_model.barrier_task import RESULT_SCHEMA, barrier_task
from dp_spark.end_model.frames import KEY_BYTES
from dp_spark.end_model.job import Failure, FailureKind, TrainingJob
from dp_spark.end_model.preflight import check_cluster, task_cpus, warn_of_open_ports
from dp_spark.errors import ConfigError, DivergedError, DpSparkError, EnvironmentProblem, TrainingError

logger = logging.getLogger(__name__)

_TOO_FEW_SLOTS = "SPARK-24819"
_CANCELLED = "cancelled"
_CAUSE_CHARACTERS = 600  # how much of Spark's own message the user sees


@dataclass(frozen=True)
class Trained:
    """What a training run leaves.

    Attributes:
        model_bytes: the content of a .keras file.
        history: the loss of every epoch.
        versions: of the packages that trained it.
    """

    model_bytes: bytes
    history: tuple[float, ...]
    versions: Mapping[str, str]


def launch(spark: SparkSession, training: TrainingJob) -> Trained:
    """Train on the executors.

    Args:
        spark: the session.
        training: the run.

    Raises:
        EnvironmentProblem: if the cluster cannot run it: slots, dynamic allocation, TensorFlow.
        ConfigError: if the user's model function is wrong.
        DivergedError: if the loss became NaN or infinite.
        TrainingError: if processes failed `max_attempts` times; with the last lines of the one that
            failed first.
    """
    settings = training.settings
    check_cluster(spark, settings.num_workers)
    warn_of_open_ports(spark.conf.get, settings)
    for left in reversed(range(settings.max_attempts)):
        outcome = _attempt(spark, training)
        if isinstance(outcome, Trained):
            return outcome
        if not outcome.kind.can_be_retried:
            raise _error(outcome)
        logger.warning("a training attempt failed, %d left: %s", left, outcome.message)
        last_message = outcome.message
    raise TrainingError(
        f"training failed {settings.max_attempts} times (max_attempts). The last time: {last_message}"
    )


def _attempt(spark: SparkSession, training: TrainingJob) -> Trained | Failure:
    num_workers = training.settings.num_workers
    task = barrier_task(training, secrets.token_bytes(KEY_BYTES), task_cpus(spark))
    tasks = spark.range(0, num_workers, 1, num_workers).mapInArrow(task, RESULT_SCHEMA, barrier=True)
    try:
        rows = tasks.collect()  # num_workers rows; one holds a model of at most MAX_MODEL_BYTES
    except (PySparkException, Py4JJavaError) as problem:
        return _stage_failure(problem, num_workers)
    failures = [Failure.from_json(row["failure"]) for row in rows if row["failure"]]
    if failures:
        return min(failures, key=lambda failure: failure.kind)  # the first of a kind: the lowest rank
    return _trained(rows)


def _trained(rows: Sequence[Row]) -> Trained:
    (hub,) = [row for row in rows if row["rank"] == 0]
    return Trained(bytes(hub["model"]), tuple(json.loads(hub["history"])), json.loads(hub["versions"]))


def _stage_failure(problem: Exception, num_workers: int) -> Failure:
    """Why the stage itself failed: a lost executor, a killed Python worker, no slots."""
    text = str(problem)
    logger.debug("barrier stage failed", exc_info=problem)
    if _TOO_FEW_SLOTS in text:
        message = (
            f"the cluster has no room for {num_workers} tasks at the same time. Ask for more executors or "
            "cores, or lower num_workers."
        )
        return Failure(FailureKind.ENVIRONMENT, message)
    if _CANCELLED in text:
        raise TrainingError("training was cancelled.") from problem
    return Failure(FailureKind.CRASHED, f"the Spark stage failed: {text.strip()[:_CAUSE_CHARACTERS]}")


def _error(failure: Failure) -> DpSparkError:
    kinds: dict[FailureKind, type[DpSparkError]] = {
        FailureKind.USER: ConfigError,
        FailureKind.DIVERGED: DivergedError,
        FailureKind.ENVIRONMENT: EnvironmentProblem,
        FailureKind.UNFORESEEN: TrainingError,
    }
    return kinds[failure.kind](failure.message)
