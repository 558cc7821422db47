"""The Spark session, its defaults, and the logging of a job.

Settings given at submit time (spark-submit, spark-defaults.conf) always win: the defaults here are
applied only where nothing was said.
"""

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from py4j.protocol import Py4JJavaError
from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkAttributeError, PySparkException
from pyspark.sql import SparkSession

from dp_spark.environment import java_problem
from dp_spark.errors import DpSparkError, EnvironmentProblem

logger = logging.getLogger(__name__)

EXIT_INTERNAL = 1
EXIT_USAGE = 2
_NUM_TRACE_LINES = 4  # of Spark's 7 to 22 kilobytes: the first say what happened

DEFAULTS = {
    # An executor lost after a nondeterministic stage must fail the job, not silently lose rows. Off in 4.1.
    "spark.sql.shuffle.orderIndependentChecksum.enabled": "true",
    "spark.sql.shuffle.orderIndependentChecksum.enableFullRetryOnMismatch": "true",
    # A segmentation fault in a labeling function says where it was.
    "spark.python.worker.faulthandler.enabled": "true",
    "spark.sql.execution.pyspark.udf.faulthandler.enabled": "true",
    # Too few slots for the training workers are noticed in seconds; Spark's default is ten minutes.
    "spark.scheduler.barrier.maxConcurrentTasksCheck.interval": "1s",
    "spark.scheduler.barrier.maxConcurrentTasksCheck.maxFailures": "5",
    # A training worker that never arrives is noticed; Spark's default is a year.
    "spark.barrier.sync.timeout": "1200",
    "spark.sql.session.timeZone": "UTC",
    "spark.log.level": "WARN",
}
LOCAL_DEFAULTS = {
    "spark.sql.shuffle.partitions": "8",
    "spark.ui.enabled": "false",
    # Else every failed task prints a Java trace above the one sentence that says what failed.
    "spark.log.level": "FATAL",
}


def spark_session(app_name: str, settings: Mapping[str, str] | None = None) -> SparkSession:
    """The running session, or a new one with dp_spark's defaults.

    Args:
        app_name: what Spark's UI shows.
        settings: Spark properties for this session. They win over the defaults.

    Raises:
        EnvironmentProblem: if Java is missing or too old.
    """
    problem = None if "PYSPARK_GATEWAY_PORT" in os.environ else java_problem()
    if problem:
        raise EnvironmentProblem(problem)
    given = _submitted(settings or {})
    master = given.get("spark.master") or "local[*]"
    is_local = master.startswith("local")
    if is_local:
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName(app_name).master(master)
    if not sys.stderr.isatty():
        builder = builder.config("spark.ui.showConsoleProgress", "false")
    for name, value in {**DEFAULTS, **(LOCAL_DEFAULTS if is_local else {})}.items():
        if name not in given:
            builder = builder.config(name, value)
    for name, value in (settings or {}).items():
        builder = builder.config(name, value)
    # PySpark logs every failing SQL expression as kilobytes of JSON, with values of rows.
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)
    return builder.getOrCreate()


def _submitted(settings: Mapping[str, str]) -> dict[str, str]:
    """The properties of spark-submit and spark-defaults.conf, which only the JVM knows, and `settings`."""
    own = SparkConf(loadDefaults=False).setAll(list(settings.items()))
    SparkContext._ensure_initialized(conf=own)
    return {**dict(SparkConf().getAll()), **settings}


def configure_logging() -> None:
    """Send dp_spark's log lines to stderr, one line each with time and module.

    The environment variable DP_SPARK_LOG_LEVEL (DEBUG, INFO, WARNING) sets the level; INFO if it is not set.
    """
    level = os.environ.get("DP_SPARK_LOG_LEVEL", "INFO").upper()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("dp_spark").setLevel(level)


@contextmanager
def stage(spark: SparkSession, name: str, seconds: dict[str, float]) -> Iterator[None]:
    """Name the Spark jobs of the block in the UI, and record how long it took.

    Args:
        spark: the session.
        name: the stage's name; a key of `seconds`.
        seconds: gets the wall-clock seconds of the block.
    """
    started = time.monotonic()
    _describe(spark, f"dp_spark · {name}")
    try:
        yield
    finally:
        _describe(spark, None)
        seconds[name] = round(time.monotonic() - started, 3)
    logger.info("finished %s: seconds=%.1f", name, seconds[name])


def run_job(main: Callable[[], None]) -> None:
    """Run a job and leave the process with its exit code: errors of dp_spark as one message, no trace.

    Args:
        main: the job.
    """
    configure_logging()
    try:
        main()
    except DpSparkError as problem:
        sys.stderr.write(f"{type(problem).__name__}: {problem}\n")
        sys.exit(problem.exit_code)
    except ValueError as problem:
        sys.stderr.write(f"ValueError: {problem}\n")
        logger.debug("trace", exc_info=True)
        sys.exit(EXIT_USAGE)
    except (PySparkException, Py4JJavaError) as problem:
        first = " ".join(str(problem).split("\n")[:_NUM_TRACE_LINES]).strip()
        sys.stderr.write(f"Spark failed: {first}\n(the whole trace: set DP_SPARK_LOG_LEVEL=DEBUG)\n")
        logger.debug("trace", exc_info=True)
        sys.exit(EXIT_INTERNAL)


def _describe(spark: SparkSession, description: str | None) -> None:
    try:
        spark.sparkContext.setJobDescription(description)  # type: ignore[arg-type]
    except PySparkAttributeError:  # Spark Connect has no SparkContext
        logger.debug("no job description on Spark Connect")
