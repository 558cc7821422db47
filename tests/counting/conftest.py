import numpy as np
import pytest

from dp_spark import LabelMatrix


@pytest.fixture(scope="session")
def matrix_of(spark):
    """Votes in memory as a label matrix with the key `id`: 0, 1, ...; no labeling function runs."""

    def make(votes, lf_names=None, num_classes=2):
        votes = np.asarray(votes, dtype=np.int8)
        rows = [(i, row.tobytes()) for i, row in enumerate(votes)]
        names = tuple(lf_names or (f"lf_{i}" for i in range(votes.shape[1])))
        df = spark.createDataFrame(rows, "id long, votes binary")
        return LabelMatrix(df, ("id",), names, names, num_classes)

    return make
