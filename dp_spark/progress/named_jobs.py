"""Spark jobs that say in Spark's UI what they are, whose progress is shown, and that Ctrl-C cancels."""

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from py4j.protocol import Py4JError
from pyspark import SparkContext
from pyspark.sql import SparkSession

from dp_spark.interruption import cancelled_when_interrupted, received_signal
from dp_spark.progress.job_counts import await_no_tasks, classic_context
from dp_spark.progress.ticker import Work, ticking

logger = logging.getLogger(__name__)

_DESCRIPTION = "spark.job.description"
_LATE_SECONDS = 8.0  # for tasks that were cancelled; Spark kills their Python workers after two seconds
_NO_JAVA = (Py4JError, OSError)  # Spark's process has ended

_stage: ContextVar[str] = ContextVar("_stage", default="")


@contextmanager
def named_stage(spark: SparkSession, name: str) -> Iterator[None]:
    """Name the Spark jobs of the block after a stage.

    Args:
        spark: the session; on Spark Connect nothing happens.
        name: the stage's.
    """
    token = _stage.set(name)
    try:
        with named_jobs(spark, ""):
            yield
    finally:
        _stage.reset(token)


@contextmanager
def named_jobs(spark: SparkSession, what: str) -> Iterator[None]:
    """Name the Spark jobs of the block: "dp_spark · count-votes · counting the votes of 20 LFs".

    Every action of ours runs in such a block, innermost, so that a job that Ctrl-C cancelled ends the block as
    an interruption, not as a failure of Spark.

    Args:
        spark: the session; on Spark Connect nothing happens.
        what: the jobs do; a participle and its object, no values of rows.

    Raises:
        Interrupted: if the process was asked to stop.
    """
    context = classic_context(spark)
    if context is None:
        yield
        return
    work = Work(_stage.get(), what, f"dp-spark-{uuid.uuid4().hex}")
    with (
        cancelled_when_interrupted(lambda: context.cancelJobsWithTag(work.tag)),
        _labelled(context, work),
        ticking(context, work),
    ):
        try:
            yield
        except BaseException:
            if received_signal():
                _settle(context, work)
            raise


@contextmanager
def _labelled(context: SparkContext, work: Work) -> Iterator[None]:
    """Description and tag of the jobs; afterwards the description is what the user had set."""
    before = context.getLocalProperty(_DESCRIPTION)
    text = " · ".join(filter(None, ["dp_spark", work.name, work.what]))
    context.setLocalProperty(_DESCRIPTION, text)
    context.addJobTag(work.tag)
    try:
        yield
    finally:
        try:
            context.removeJobTag(work.tag)
            context.setLocalProperty(_DESCRIPTION, before)  # type: ignore[arg-type] # None removes it
        except _NO_JAVA:
            logger.debug("cannot restore the description of jobs", exc_info=True)


def _settle(context: SparkContext, work: Work) -> None:
    try:
        context.cancelJobsWithTag(work.tag)
        await_no_tasks(context, work.tag, _LATE_SECONDS)
    except _NO_JAVA:
        logger.debug("cannot wait for the last tasks", exc_info=True)
