from dataclasses import replace

import numpy as np
import pytest
from reference import agreement

from dp_spark import LabelMatrix, VoteCounts, apply_lfs, count_votes
from dp_spark.counting import count
from dp_spark.counting.agreement import agreement_matrix
from dp_spark.errors import SchemaError
from dp_spark.synthetic import SyntheticTask, synthetic_lfs, vote_table

TASK = SyntheticTask(num_data_points=3000, num_lfs=12, seed=3)
IDS = np.arange(TASK.num_data_points)


@pytest.fixture(scope="module")
def matrix(spark):
    return apply_lfs(vote_table(spark, TASK), synthetic_lfs(TASK), key=["id"])


@pytest.mark.parametrize("num_partitions", [1, 7, 64])
def test_counts_are_bit_identical_for_every_partitioning(spark, matrix, num_partitions):
    rows = matrix.df.repartition(num_partitions)
    split = LabelMatrix(rows, matrix.key, matrix.lf_names, matrix.lf_hashes, 2)
    expected = VoteCounts.from_votes(TASK.votes(IDS), lf_names=matrix.lf_names, lf_hashes=matrix.lf_hashes)
    assert count_votes(split).to_bytes() == expected.to_bytes()


def test_spark_and_numpy_agree_on_z_exactly(matrix):
    Z, observed = agreement_matrix(count_votes(matrix))
    expected, overlaps = agreement(TASK.votes(IDS))
    assert observed.sum() == 12 * 11
    assert np.array_equal(Z[observed], expected[observed])


def test_an_empty_label_matrix_is_refused(matrix):
    empty = LabelMatrix(matrix.df.where("id < 0"), matrix.key, matrix.lf_names, matrix.lf_hashes, 2)
    with pytest.raises(SchemaError, match="holds no data points: there is nothing to count"):
        count_votes(empty)


def test_votes_of_another_number_of_lfs_are_refused_on_the_driver(matrix):
    wrong = LabelMatrix(matrix.df, matrix.key, matrix.lf_names[:5], matrix.lf_hashes[:5], 2)
    with pytest.raises(SchemaError, match="not 5 bytes long: expected one byte for each of the 5"):
        count_votes(wrong)


def test_the_share_covered_is_that_of_rows_with_a_vote():
    votes = np.array([[1, 0], [0, 0], [0, -1], [0, 0]], dtype=np.int8)
    assert count.share_covered(VoteCounts.from_votes(votes)) == 2 / 4


@pytest.fixture(scope="module")
def points(spark):
    """The keys; every third is in no document, the others in documents of 40."""
    return spark.range(TASK.num_data_points).selectExpr("id", "if(id % 3 = 0, null, id % 50) AS document")


def test_clusters_are_found_by_key_whatever_the_partitioning(matrix, points):
    counts = count_votes(matrix, ["document"], points.repartition(5))
    again = count_votes(matrix, ["document"], points.orderBy("document"))
    assert counts.to_bytes() == again.to_bytes()
    assert counts.num_data_points == counts.patterns.block_counts.sum() == TASK.num_data_points
    assert np.array_equal(counts.joint, count_votes(matrix).joint)


def test_a_cluster_is_in_one_block_as_a_whole_and_rows_without_one_are_spread(matrix, points):
    of_documents = replace(matrix, df=matrix.df.where("id % 3 != 0"))
    sizes = count_votes(of_documents, ["document"], points).patterns.block_counts.sum(axis=0)
    assert (sizes % 40 == 0).all()
    assert 15 < (sizes > 0).sum() <= 50
    others = replace(matrix, df=matrix.df.where("id % 3 = 0"))
    sizes = count_votes(others, ["document"], points).patterns.block_counts.sum(axis=0)
    assert 0 < sizes.min() <= sizes.max() < 40


def test_a_key_column_can_be_the_cluster(matrix):
    counts = count_votes(matrix, ["id"])
    assert (counts.patterns.block_counts.sum(axis=0) > 0).all()
    assert counts.num_data_points == TASK.num_data_points


def test_cluster_columns_that_are_not_there_and_doubled_keys_are_refused(matrix, points):
    with pytest.raises(SchemaError, match="document"):
        count_votes(matrix, ["document"])
    with pytest.raises(SchemaError, match="page"):
        count_votes(matrix, ["page"], points)
    with pytest.raises(SchemaError, match="twice|more than once|occur"):
        count_votes(matrix, ["document"], points.union(points))
