"""The Spark session and its defaults, and what a job does around its work: stages, errors, exit codes.

Settings given at submit time (spark-submit, spark-defaults.conf) always win: the defaults here are
applied only where nothing was said.
"""

import logging
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from py4j.protocol import Py4JError, Py4JJavaError
from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from dp_spark.environment import java_problem
from dp_spark.errors import ConfigError, DpSparkError, EnvironmentProblem
from dp_spark.interruption import EXIT_BASE, Interrupted, is_job, job_signals, kept_handlers
from dp_spark.logs import ANSWER, is_configured, is_json
from dp_spark.logs import configure_logging as configure_logging
from dp_spark.progress.display import KINDS, Kind, show_progress, shown_kind
from dp_spark.progress.named_jobs import named_stage

logger = logging.getLogger(__name__)

EXIT_INTERNAL = 1
EXIT_USAGE = 2
_WHOLE_TRACE = "the whole trace: name a log file, or set DP_SPARK_LOG_LEVEL=DEBUG"
_NUM_TRACE_LINES = 4  # of Spark's 7 to 22 kilobytes: the first say what happened

_JAVA_OPTIONS = "spark.driver.extraJavaOptions"
_CONFIGURED_BY = ("PYSPARK_GATEWAY_PORT", "PYSPARK_SUBMIT_ARGS", "SPARK_HOME", "SPARK_CONF_DIR")

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
    # Of tasks that end within a tenth of a second progress would see one; on a cluster the next task tells.
    "spark.ui.liveUpdate.period": "0ms",
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
    if not sys.stderr.isatty() or shown_kind() != "none":  # Spark's own bar, on the same line
        builder = builder.config("spark.ui.showConsoleProgress", "false")
    for name, value in {**DEFAULTS, **(LOCAL_DEFAULTS if is_local else {})}.items():
        if name not in given:
            builder = builder.config(name, value)
    for name, value in (settings or {}).items():
        builder = builder.config(name, value)
    # PySpark logs every failing SQL expression as kilobytes of JSON, with values of rows.
    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with kept_handlers():
        session = builder.getOrCreate()
    if is_job() and "PYSPARK_GATEWAY_PORT" in os.environ:
        _leave_interrupts_to_python(session)
    return session


def _leave_interrupts_to_python(spark: SparkSession) -> None:
    """Let Ctrl-C end Spark's process through this one: under spark-submit a terminal tells both, Spark's ends first."""
    signals = spark._jvm.sun.misc  # type: ignore[union-attr]
    try:
        signals.Signal.handle(signals.Signal("INT"), signals.SignalHandler.SIG_IGN)
    except Py4JError:
        logger.debug("Spark's process takes Ctrl-C itself", exc_info=True)


def _submitted(settings: Mapping[str, str]) -> dict[str, str]:
    """The properties of spark-submit and spark-defaults.conf, which only the JVM knows, and `settings`."""
    own = SparkConf(loadDefaults=False).setAll([*_java_options(settings).items(), *settings.items()])
    SparkContext._ensure_initialized(conf=own)
    return {**dict(SparkConf().getAll()), **settings}


def _java_options(settings: Mapping[str, str]) -> dict[str, str]:
    """A quiet log of the JVM that is to be started, unless somebody has configured Spark."""
    is_configured_elsewhere = any(name in os.environ for name in _CONFIGURED_BY) or _JAVA_OPTIONS in settings
    quiet_log = Path(__file__).with_name("log4j2.properties")
    if is_configured_elsewhere or not quiet_log.is_file():
        return {}
    return {_JAVA_OPTIONS: f"-Dlog4j2.configurationFile={quiet_log.as_uri()}"}


@contextmanager
def stage(spark: SparkSession, name: str, seconds: dict[str, float]) -> Iterator[None]:
    """Name the Spark jobs of the block in the UI, show how far they are, and record how long it took.

    Args:
        spark: the session.
        name: the stage's name; a key of `seconds`.
        seconds: gets the wall-clock seconds of the block.
    """
    started = time.monotonic()
    try:
        with named_stage(spark, name):
            yield
    finally:
        seconds[name] = round(time.monotonic() - started, 3)
    logger.info("finished %s: seconds=%.1f", name, seconds[name])


def run_job(main: Callable[[], None]) -> None:
    """Run a job and leave the process with its exit code: errors of dp_spark as one message, no trace.

    The log is as `configure_logging` left it, if it was called. Progress is shown as the environment variable
    DP_SPARK_PROGRESS says: auto, bar, lines or none; a log of JSON has lines. Ctrl-C and SIGTERM end the job cleanly.

    Args:
        main: the job.
    """
    try:
        if not is_configured():
            configure_logging()
        show_progress(_progress_kind())
        with job_signals():
            main()
    except Interrupted as stopped:
        _end(stopped, _interruption_text(stopped), EXIT_BASE + stopped.signal_number)
    except DpSparkError as problem:
        _end(problem, f"{type(problem).__name__}: {problem}", problem.exit_code)
    except ValueError as problem:
        _end(problem, f"ValueError: {problem}", EXIT_USAGE)
    except (PySparkException, Py4JJavaError) as problem:
        first = " ".join(str(problem).split("\n")[:_NUM_TRACE_LINES]).strip()
        _end(problem, f"Spark failed: {first}\n({_WHOLE_TRACE})", EXIT_INTERNAL)
    except Exception as problem:  # a defect, which ends with Python's own trace
        if is_json():
            _end(problem, f"{type(problem).__name__}: {problem}", EXIT_INTERNAL)
        logger.debug("a defect", exc_info=True)
        raise


def _end(problem: BaseException, text: str, exit_code: int) -> NoReturn:
    has_trace = not isinstance(problem, Interrupted)
    logger.error("%s", text, exc_info=problem if has_trace else None, extra=ANSWER)
    sys.exit(exit_code)


def _interruption_text(stopped: Interrupted) -> str:
    """What was interrupted, and how to go on."""
    notes = getattr(stopped, "__notes__", [])
    if not notes:
        return "interrupted; nothing that was at work is published: run the same command again"
    arguments = [argument for argument in sys.argv[1:] if argument not in ("--overwrite", "--resume")]
    command = shlex.join([Path(sys.argv[0]).name, *arguments, "--resume"])
    is_submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    instead = " instead of --overwrite" if "--overwrite" in sys.argv else ""
    again = f"the same spark-submit command with --resume{instead}" if is_submitted else f"`{command}`"
    return f"interrupted {'; '.join(notes)}: go on with {again}"


def _progress_kind() -> Kind:
    kind = os.environ.get("DP_SPARK_PROGRESS") or "auto"
    if kind not in KINDS:
        raise ConfigError(f"DP_SPARK_PROGRESS is {kind!r}: expected one of {', '.join(KINDS)}. Correct it.")
    return "lines" if kind in ("auto", "bar") and is_json() else kind
