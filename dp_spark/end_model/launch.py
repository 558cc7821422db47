"""Starts the training processes as one Spark barrier stage, and starts them again if machines fail.

Spark itself does not retry a barrier stage whose result is collected; the loop here does, and the
processes go on from their last checkpoint. An attempt that hangs is given up. Errors that would come again are
not retried.
(docs/training.md)
"""

import json
import logging
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Row, SparkSession

from dp_spark.end_model.attempts import new_attempt, newest_checkpoint
from dp_spark.end_model.barrier_task import RESULT_SCHEMA, barrier_task
from dp_spark.end_model.checkpoint import Metrics
from dp_spark.end_model.frames import KEY_BYTES
from dp_spark.end_model.job import Failure, FailureKind, TrainingJob, cause_of
from dp_spark.end_model.preflight import (
    EXECUTORS_SECONDS,
    TOO_FEW_SLOTS,
    check_cluster,
    task_cpus,
    warn_of_open_ports,
)
from dp_spark.end_model.supervise import run_watched
from dp_spark.end_model.watch import Watch
from dp_spark.errors import (
    ConfigError,
    DivergedError,
    DpSparkError,
    EnvironmentProblem,
    SchemaError,
    TrainingError,
)
from dp_spark.progress.named_jobs import named_jobs
from dp_spark.storage import Storage

logger = logging.getLogger(__name__)

_CANCELLED = "cancelled"
REPLACEMENT_SECONDS = 300.0  # how long a cluster may take to replace an executor that was lost
_SLOTS_POLL_SECONDS = 2.0
_CAUSE_CHARACTERS = 600  # how much of Spark's own message the user sees


@dataclass(frozen=True)
class Trained:
    """What a training run leaves.

    Attributes:
        model_bytes: the content of a .keras file.
        history: the metrics of every epoch.
        versions: of the packages that trained it.
    """

    model_bytes: bytes
    history: tuple[Metrics, ...]
    versions: Mapping[str, str]


def launch(spark: SparkSession, storage: Storage, training: TrainingJob, directory: str) -> Trained:
    """Train on the executors.

    Args:
        spark: the session.
        storage: the file systems.
        training: the run; every attempt gets its own directory and the newest checkpoint.
        directory: of the run; attempts of an earlier driver in it are continued.

    Raises:
        EnvironmentProblem: if the cluster cannot run it: slots, dynamic allocation, TensorFlow, memory.
        ConfigError: if the user's model function is wrong.
        DivergedError: if the loss became NaN or infinite, or exploded.
        TrainingError: if processes failed `max_attempts` times in a row without getting further; with the
            last lines of the one that failed first.
    """
    warn_of_open_ports(spark.conf.get, training.settings)
    num_failed, before = 0, newest_checkpoint(storage, directory)
    if before is not None:
        logger.info("going on after epoch %d, step %d, of an earlier attempt", before.num_epochs, before.step)
    while True:
        attempt = replace(training, attempt_directory=new_attempt(directory), resume_from=before)
        outcome = _attempt_when_possible(spark, storage, attempt, REPLACEMENT_SECONDS if num_failed else 0.0)
        if isinstance(outcome, Trained):
            return outcome
        if not outcome.kind.can_be_retried:
            raise _error(outcome, directory)
        newest = newest_checkpoint(storage, directory)
        num_failed = 1 if newest != before else num_failed + 1
        before = newest
        left = training.settings.max_attempts - num_failed
        if left <= 0:
            raise TrainingError(
                f"training failed {num_failed} times (max_attempts) without getting further; run it again to go on "
                f"from the last checkpoint. The last time: {outcome.message}"
            )
        logger.warning("a training attempt failed, %d left: %s", left, outcome.message)


def _attempt_when_possible(
    spark: SparkSession, storage: Storage, training: TrainingJob, seconds: float
) -> Trained | Failure:
    """An attempt, begun again for so many seconds while the cluster has no room: a lost executor is being replaced.

    Spark counts the slots of a lost executor for a moment longer.
    """
    deadline = time.monotonic() + seconds
    while True:
        check_cluster(spark, training.settings.num_workers, max(EXECUTORS_SECONDS, seconds))
        outcome = _attempt(spark, storage, training)
        has_no_room = isinstance(outcome, Failure) and outcome.kind is FailureKind.NO_SLOTS
        if not has_no_room or time.monotonic() > deadline:
            return outcome
        time.sleep(_SLOTS_POLL_SECONDS)


def _attempt(spark: SparkSession, storage: Storage, training: TrainingJob) -> Trained | Failure:
    settings = training.settings
    is_local = str(spark.sparkContext.master).startswith("local")  # the driver logs every epoch, too
    key = secrets.token_bytes(KEY_BYTES)
    task = barrier_task(training, key, task_cpus(spark), is_quiet=is_local)
    tasks = spark.range(0, settings.num_workers, 1, settings.num_workers).mapInArrow(
        task, RESULT_SCHEMA, barrier=True
    )
    watch = Watch(
        storage=storage,
        directory=training.attempt_directory,
        num_workers=settings.num_workers,
        timeout_seconds=settings.timeout_seconds,
        rows_per_epoch=round(training.manifest.num_data_points * (1 - settings.validation_share)),
    )
    try:
        with named_jobs(spark, f"training, num_workers={settings.num_workers}"):
            rows = run_watched(spark, tasks.collect, watch)  # num_workers rows; one holds a model
    except (PySparkException, Py4JJavaError) as problem:
        reported = watch.failures()
        return cause_of(reported) if reported else _stage_failure(problem, settings.num_workers)
    if isinstance(rows, Failure):
        return rows
    watch.look()  # the last epochs may have passed since
    failures = [Failure.from_json(row["failure"]) for row in rows if row["failure"]]
    return cause_of(failures) if failures else _trained(rows)


def _trained(rows: Sequence[Row]) -> Trained:
    (hub,) = [row for row in rows if row["rank"] == 0]
    return Trained(bytes(hub["model"]), tuple(json.loads(hub["history"])), json.loads(hub["versions"]))


def _stage_failure(problem: Exception, num_workers: int) -> Failure:
    """Why the stage itself failed: a lost executor, a killed Python worker, no slots."""
    text = str(problem)
    logger.debug("barrier stage failed", exc_info=problem)
    if TOO_FEW_SLOTS in text:
        message = (
            f"the cluster has no room for {num_workers} tasks at the same time. Ask for more executors or "
            "cores, or lower num_workers."
        )
        return Failure(FailureKind.NO_SLOTS, message)
    if _CANCELLED in text:
        raise TrainingError("training was cancelled.") from problem
    return Failure(FailureKind.CRASHED, f"the Spark stage failed: {text.strip()[:_CAUSE_CHARACTERS]}")


def _error(failure: Failure, directory: str) -> DpSparkError:
    kinds: dict[FailureKind, type[DpSparkError]] = {
        FailureKind.USER: ConfigError,
        FailureKind.DATA: SchemaError,
        FailureKind.DIVERGED: DivergedError,
        FailureKind.ENVIRONMENT: EnvironmentProblem,
        FailureKind.NO_SLOTS: EnvironmentProblem,
        FailureKind.UNFORESEEN: TrainingError,
    }
    kept = f" Checkpoints are in {directory}." if failure.kind is FailureKind.DIVERGED else ""
    return kinds[failure.kind](failure.message + kept)
