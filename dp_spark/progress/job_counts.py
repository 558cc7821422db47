"""How far the Spark jobs with a tag are, as the driver's status store knows it; it is there without the UI, too."""

import time
from dataclasses import dataclass

from pyspark import SparkContext
from pyspark.sql import SparkSession

# Spark says only at the end of a job which of its stages it skips, as their shuffle files are there already.
_NOT_BEGUN = ("PENDING", "SKIPPED")
_POLL_SECONDS = 0.25


@dataclass(frozen=True)
class JobCounts:
    """How far some jobs are.

    Attributes:
        num_done: tasks that are complete.
        num_tasks: of all of Spark's stages that have begun; further ones may follow.
        num_active: tasks that run, or have not heard yet that they are cancelled.
        num_rows: that tasks have read from tables; tasks on executors say so when they end, and every ten seconds.
    """

    num_done: int = 0
    num_tasks: int = 0
    num_active: int = 0
    num_rows: int = 0


def classic_context(spark: SparkSession) -> SparkContext | None:
    """The session's context, or None on Spark Connect, which has none."""
    return spark.sparkContext if getattr(spark, "_jsc", None) is not None else None


def count_jobs(context: SparkContext, tag: str) -> JobCounts:
    """How far the jobs with a tag are.

    Args:
        context: Spark's.
        tag: of the jobs.
    """
    spark = context._jsc.sc()
    store = spark.statusStore()
    stages: set[int] = set()
    for job in spark.statusTracker().getJobIdsForTag(tag):
        stages.update(int(stage) for stage in store.job(job).stageIds().mkString(" ").split())
    found = [store.lastStageAttempt(stage) for stage in sorted(stages)]
    found = [stage for stage in found if stage.status().toString() not in _NOT_BEGUN]
    return JobCounts(
        num_done=sum(stage.numCompleteTasks() for stage in found),
        num_tasks=sum(stage.numTasks() for stage in found),
        num_active=sum(stage.numActiveTasks() for stage in found),
        num_rows=sum(stage.inputRecords() for stage in found),
    )


def await_no_tasks(context: SparkContext, tag: str, seconds: float) -> None:
    """Wait until no task of cancelled jobs runs: a late one could write where its job has been cleaned up.

    Args:
        context: Spark's.
        tag: of the jobs.
        seconds: how long at most.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and count_jobs(context, tag).num_active:
        time.sleep(_POLL_SECONDS)
