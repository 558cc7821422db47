import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from xdist.scheduler import LoadFileScheduling

from dp_spark.session import spark_session
from dp_spark.storage import Storage

os.environ["PYSPARK_PYTHON"] = sys.executable
# Java's second compiler took half of the JVM's CPU time, for code that a test runs for seconds.
os.environ["SPARK_SUBMIT_OPTS"] = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"

# They start clusters, training processes and runs that take both cores, and look at processes and clocks.
ONE_AFTER_THE_OTHER = (
    "end_model", "faults", "test_cluster.py", "test_cluster_faults.py", "test_interruption.py", "test_jobs.py",
)  # fmt: skip


class OneFileOneProcess(LoadFileScheduling):
    """Of the processes that `make test JOBS=2` runs tests in, one gets all tests of a file, which share fixtures."""

    def _split_scope(self, nodeid: str) -> str:
        file = Path(nodeid.partition("::")[0]).relative_to("tests")
        return "one after the other" if file.parts[0] in ONE_AFTER_THE_OTHER else str(file)


@pytest.hookimpl(optionalhook=True)  # without pytest-xdist nobody asks
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> OneFileOneProcess:
    return OneFileOneProcess(config, log)


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """One local session for all tests of a process; few shuffle partitions, since every table here is small."""
    session = spark_session(
        "dp_spark tests", {"spark.master": "local[2]", "spark.sql.shuffle.partitions": "2"}
    )
    yield session
    session.stop()


@pytest.fixture(scope="session")
def storage(spark: SparkSession) -> Storage:
    return Storage(spark)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data that lies beside some checkouts and is not part of the project."""
    path = Path(__file__).parents[1].parent / "shared" / "data"
    if not path.is_dir():
        pytest.skip(f"no real data here: {path} is absent")
    return path
