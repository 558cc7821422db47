"""What tests of faults share: a run that must fail has to leave nothing, one that succeeds shows its votes."""

import os

import numpy as np
import pytest

from dp_spark.labeling.apply import apply_lfs
from dp_spark.labeling.matrix import write_label_matrix

OLDER = "older"


@pytest.fixture
def labeled(storage, tmp_path):
    """Write the label matrix of labeling functions -> the matrix, and the votes by key."""

    def run(df, lfs, *, key=("id",), **options):
        matrix = apply_lfs(df, lfs, key=key, **options)
        matrix = write_label_matrix(matrix, str(tmp_path / "L"), storage, overwrite=True)
        rows = matrix.df.collect()
        return matrix, {tuple(row)[:-1]: list(np.frombuffer(row.votes, dtype=np.int8)) for row in rows}

    return run


@pytest.fixture
def refused(storage, tmp_path):
    """Write a label matrix, which has to fail with an error of a class and leave nothing -> the error's text."""

    def run(error, df, lfs, *, key=("id",), **options):
        with pytest.raises(error) as caught:
            write_label_matrix(apply_lfs(df, lfs, key=key, **options), str(tmp_path / "L"), storage)
        assert type(caught.value) is error
        assert os.listdir(tmp_path) == []
        assert "Traceback" not in str(caught.value)
        return str(caught.value)

    return run
