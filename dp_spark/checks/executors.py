"""Whether driver and executors have the same packages and see the same files; one small Spark job."""

import contextlib
import importlib.metadata
import json
import os
import socket
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, replace

import pyarrow as pa
import pyspark
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from dp_spark.checks.output import nearest_directory
from dp_spark.end_model.files import read_file, replace_file
from dp_spark.end_model.greeting import versions
from dp_spark.end_model.memory import TENSORFLOW_BYTES, free_memory
from dp_spark.end_model.preflight import TOO_FEW_SLOTS, is_local, num_slots
from dp_spark.errors import EnvironmentProblem
from dp_spark.progress.named_jobs import named_jobs
from dp_spark.publishing import probe_path
from dp_spark.storage import Storage, join_path
from dp_spark.tables import BatchPass
from dp_spark.worker_errors import translated_errors

MAX_TASKS = 256  # that look at executors, at the same time
_SUPPORTED = ((4, 0), (4, 4))  # Spark, from and below
_DRIVERS_FILE = "from-driver"
_MAX_NAMED = 5


@dataclass(frozen=True)
class ExecutorReport:
    """What one executor says of itself.

    Attributes:
        host: its machine.
        process: the process that starts its Python workers.
        versions: of Python and the packages that matter; empty for one that is not there.
        free_bytes: of memory, for one more process; None where the system does not tell.
        storage_problem: why it cannot read or write where the training set will be; empty if it can.
    """

    host: str
    process: int
    versions: Mapping[str, str]
    free_bytes: int | None = None
    storage_problem: str = ""


def package_versions() -> dict[str, str]:
    """The versions of Python and of the packages that driver and executors should share."""
    found = dict(versions())
    for name in ("pandas", "pyspark"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return {name: found.get(name, "") for name in sorted({*found, "pandas"}) if name != "pyspark"}


def driver_versions(spark: SparkSession) -> dict[str, str]:
    """The versions of the driver, with Spark's and Java's."""
    java = Storage(spark).jvm.java.lang.System.getProperty("java.version")
    return {**package_versions(), "spark": spark.version, "java": str(java)}


def refuse_other_spark(spark: SparkSession) -> None:
    """Refuse a Spark that dp_spark is not made for, or another one than that of the Python package.

    Raises:
        EnvironmentProblem: naming the versions.
    """
    first, last = (".".join(map(str, version)) for version in _SUPPORTED)
    number = tuple(int(part) for part in spark.version.split(".")[:2])
    if not _SUPPORTED[0] <= number < _SUPPORTED[1]:
        raise EnvironmentProblem(f"Spark is {spark.version}: expected {first} or newer, below {last}.")
    if pyspark.__version__ != spark.version:
        raise EnvironmentProblem(
            f"Spark is {spark.version} and the Python package pyspark {pyspark.__version__}: expected the same. "
            f"Install pyspark=={spark.version}, or use spark-submit of the package."
        )


def executor_reports(storage: Storage, directory: str) -> list[ExecutorReport]:
    """What every executor says; files are exchanged beside the output, and deleted again.

    All slots are taken at the same time, up to MAX_TASKS, so that every executor is asked; with dynamic allocation,
    those that there are.

    Args:
        storage: the file systems.
        directory: of the output.
    """
    spark = storage.spark
    place = probe_path(nearest_directory(storage, directory))
    slots = num_slots(spark)
    num_tasks = 1 if is_local(spark) else min(slots or MAX_TASKS, MAX_TASKS)
    can_wait = slots is not None and spark.conf.get("spark.dynamicAllocation.enabled", "false") != "true"
    token = uuid.uuid4().hex
    try:
        storage.write_text(join_path(place, _DRIVERS_FILE), token)
        told = _told(spark, _look(place, token), num_tasks, together=can_wait)
        names = set(storage.list_names(place))
    finally:
        storage.delete(place)
    return _one_each([_report(each, names, place) for each in told])


def _told(spark: SparkSession, look: BatchPass, num_tasks: int, *, together: bool) -> list[dict[str, object]]:
    """What the tasks tell; one after another if there are fewer slots than Spark counts, as it does of one core."""
    asked = spark.range(0, num_tasks, 1, num_tasks).mapInArrow(look, "report string", barrier=together)
    try:
        with named_jobs(spark, "asking the executors"), translated_errors():
            return [json.loads(row["report"]) for row in asked.collect()]  # one row for each task
    except (PySparkException, Py4JJavaError) as failure:
        if not together or TOO_FEW_SLOTS not in str(failure):
            raise
    return _told(spark, look, num_tasks, together=False)


def executor_problems(reports: Sequence[ExecutorReport], driver: Mapping[str, str]) -> list[str]:
    """What keeps executors from working with the driver, one text for each kind of problem.

    Args:
        reports: what they say.
        driver: the versions of the driver.
    """
    found = []
    for name, expected in driver.items():
        others = [r for r in reports if r.versions.get(name, expected) != expected]
        other = {f"{r.versions[name] or 'none'} on {r.host}" for r in others}
        if other:
            found.append(
                f"{name} is {expected or 'not there'} on the driver and {_some(other)}: expected the same everywhere. "
                "Give driver and executors one environment (PYSPARK_PYTHON, spark-submit --archives)."
            )
    without = {r.host for r in reports if not r.versions.get("tensorflow", "")}
    if without:
        found.append(
            f"TensorFlow is not installed for the Python of executors on {_some(without)}: the end model is trained "
            "there. Install dp-spark[tensorflow], or set PYSPARK_PYTHON to the Python that has it."
        )
    known = [(r.free_bytes, r.host) for r in reports if r.free_bytes is not None]
    tight = {f"{free >> 20:,} MB on {host}" for free, host in known if free < TENSORFLOW_BYTES}
    if tight:
        found.append(
            f"executors have {_some(tight)} of memory left: expected {TENSORFLOW_BYTES >> 20:,} MB for a training "
            "worker. Raise spark.executor.memoryOverhead (and spark.executor.pyspark.memory if it is set)."
        )
    storage_problems = {f"{r.storage_problem} (on {r.host})" for r in reports if r.storage_problem}
    return [*found, *([_some(storage_problems)] if storage_problems else [])]


def _look(place: str, token: str) -> BatchPass:
    def look(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for _ in batches:
            pass
        name, problem = f"from-{socket.gethostname()}-{uuid.uuid4().hex[:12]}", ""
        try:
            if read_file(f"{place}/{_DRIVERS_FILE}") != token.encode():
                problem = "a file that the driver wrote is not there"
            else:
                replace_file(f"{place}/{name}", token.encode())
        except (OSError, ValueError, pa.ArrowException) as failure:
            problem = f"{type(failure).__name__}: {failure}"
        known = [each for each in astuple(free_memory()) if each is not None]
        free_bytes = min(known, default=None)
        report = ExecutorReport(socket.gethostname(), os.getppid(), package_versions(), free_bytes, problem)
        told = json.dumps({"wrote": name, "report": asdict(report)})
        yield pa.RecordBatch.from_arrays([pa.array([told])], names=["report"])

    return look


def _report(told: Mapping[str, object], names: set[str], place: str) -> ExecutorReport:
    wrote, report = told["wrote"], ExecutorReport(**told["report"])  # type: ignore[arg-type]  # of its own asdict
    problem = report.storage_problem
    if not problem and wrote not in names:
        problem = "a file that the executor wrote does not reach the driver"
    if problem:
        problem = (
            f"executors and driver do not share {place.rpartition('/')[0]}, where the training set would be: "
            f"{problem}. Expected storage that all reach and may write to, such as hdfs:// or s3a://. Choose another "
            "output."
        )
    return replace(report, storage_problem=problem)


def _one_each(reports: Sequence[ExecutorReport]) -> list[ExecutorReport]:
    """One report for each executor: one with a problem, if there is one."""
    by_problem = sorted(reports, key=lambda report: bool(report.storage_problem))
    return list({(report.host, report.process): report for report in by_problem}.values())


def _some(texts: set[str]) -> str:
    shown = sorted(texts)[:_MAX_NAMED]
    return "; ".join(shown) + (f"; and {len(texts) - len(shown)} more" if len(texts) > len(shown) else "")
