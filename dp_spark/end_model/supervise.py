"""Runs a Spark job that somebody watches: while it runs the driver looks, and can give it up."""

import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

from pyspark import inheritable_thread_target
from pyspark.sql import SparkSession

POLL_SECONDS = 1.0
STOP_SECONDS = 60.0  # Spark kills a cancelled task's Python worker after two seconds

Result = TypeVar("Result")
Reason = TypeVar("Reason")


def run_watched(
    spark: SparkSession, job: Callable[[], Result], watch: Callable[[], Reason | None]
) -> Result | Reason:
    """The result of a Spark job, or why it was given up.

    The job is cancelled if `watch` returns a reason, and if this call ends in any other way, such as Ctrl-C.

    Args:
        spark: the session.
        job: starts the job and waits for it; its exceptions are passed on.
        watch: called about once a second; returns a reason to give the job up, or None.
    """
    tag = f"dp-spark-{uuid.uuid4().hex}"

    def tagged() -> Result:
        spark.sparkContext.addJobTag(tag)
        try:
            return job()
        finally:
            spark.sparkContext.removeJobTag(tag)

    executor = ThreadPoolExecutor(max_workers=1)
    future: Future[Result] = executor.submit(inheritable_thread_target(spark)(tagged))
    try:
        while not _is_done(future):
            reason = watch()
            if reason is not None:
                return reason
        return future.result()
    finally:
        _cancel(spark, tag, future)
        executor.shutdown(wait=False)


def _is_done(future: "Future[Result]") -> bool:
    wait([future], timeout=POLL_SECONDS)
    return future.done()


def _cancel(spark: SparkSession, tag: str, future: "Future[Result]") -> None:
    """Cancel until the job has ended: one that Spark is still planning does not hear the first call."""
    deadline = time.monotonic() + STOP_SECONDS
    while not future.done() and time.monotonic() < deadline:
        spark.sparkContext.cancelJobsWithTag(tag)
        _is_done(future)
