import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from dp_spark.session import spark_session
from dp_spark.storage import Storage

os.environ["PYSPARK_PYTHON"] = sys.executable


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
