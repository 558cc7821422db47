import numpy as np
import pytest
from reference import random_votes

from dp_spark import ABSTAIN, NEGATIVE, POSITIVE, LabelMatrix, conflicting_rows, rows_where
from dp_spark.errors import SchemaError

LFS = ["links", "short", "all.caps"]
VOTES = np.array([[1, 1, 0], [1, -1, 1], [-1, 1, 0], [0, 1, -1], [0, 0, 0]], dtype=np.int8)


@pytest.fixture(scope="module")
def matrix(matrix_of):
    return matrix_of(VOTES, LFS)


def found(rows):
    return sorted(map(tuple, rows.collect()))


def test_conflicting_rows_are_those_on_which_both_vote_and_differ(matrix):
    rows = conflicting_rows(matrix, "links", "short")
    assert rows.dtypes == [("id", "bigint"), ("links", "tinyint"), ("short", "tinyint")]
    assert found(rows) == [(1, 1, -1), (2, -1, 1)]


def test_the_votes_come_in_the_order_in_which_the_lfs_are_named(matrix):
    rows = conflicting_rows(matrix, "all.caps", "short")
    assert rows.columns == ["id", "all.caps", "short"]
    assert found(rows) == [(1, 1, -1), (3, -1, 1)]


def test_lfs_that_never_disagree_have_no_conflicting_rows(matrix):
    assert found(conflicting_rows(matrix, "links", "all.caps")) == []


def test_rows_where_lfs_cast_exactly_these_votes_are_found(matrix):
    rows = rows_where(matrix, {"short": POSITIVE, "links": ABSTAIN})
    assert rows.dtypes == [("id", "bigint"), ("short", "tinyint"), ("links", "tinyint")]
    assert found(rows) == [(3, 1, 0)]
    assert found(rows_where(matrix, {"all.caps": NEGATIVE})) == [(3, -1)]
    assert found(rows_where(matrix, {"links": 0, "short": 0, "all.caps": 0})) == [(4, 0, 0, 0)]


@pytest.mark.parametrize("k", [2, 4])
def test_spark_finds_the_rows_that_numpy_finds(matrix_of, k):
    votes = random_votes(300, 3, k)
    matrix, (a, b) = matrix_of(votes, ["a", "b", "c"], k), (votes[:, 0], votes[:, 2])
    conflict = np.flatnonzero((a != 0) & (b != 0) & (a != b))
    assert [row[0] for row in found(conflicting_rows(matrix, "a", "c"))] == conflict.tolist()
    chosen = np.flatnonzero((a == 1) & (b == 0))
    assert [row[0] for row in found(rows_where(matrix, {"a": 1, "c": 0}))] == chosen.tolist()


def test_the_rows_join_to_the_table_that_the_votes_were_cast_on(spark, matrix):
    comments = spark.createDataFrame([(1, "SEE HTTP"), (2, "Thanks"), (3, "hi")], "id long, text string")
    joined = conflicting_rows(matrix, "links", "short").join(comments, on=["id"], how="inner")
    assert found(joined) == [(1, 1, -1, "SEE HTTP"), (2, -1, 1, "Thanks")]


def test_no_python_worker_is_needed(matrix, capsys):
    for rows in (conflicting_rows(matrix, "links", "short"), rows_where(matrix, {"links": 1})):
        rows.explain(extended=True)
    plan = capsys.readouterr().out
    assert "Filter" in plan
    assert "Python" not in plan
    assert "Arrow" not in plan


def test_names_that_differ_only_in_case_are_told_apart(spark):
    df = spark.createDataFrame([(1, bytes([1, 255])), (2, bytes([255, 255]))], "id long, votes binary")
    matrix = LabelMatrix(df, ("id",), ("Spam", "spam"), ("x", "y"), 2)
    assert found(conflicting_rows(matrix, "Spam", "spam")) == [(1, 1, -1)]


def test_keys_with_dots_and_several_columns_are_kept(spark):
    df = spark.createDataFrame([("x", 7, bytes([1, 255]))], "`a.b` string, c int, votes binary")
    rows = conflicting_rows(LabelMatrix(df, ("a.b", "c"), ("p", "q"), ("x", "y"), 2), "q", "p")
    assert rows.columns == ["a.b", "c", "q", "p"]
    assert found(rows) == [("x", 7, -1, 1)]


def test_unknown_lfs_are_refused_with_the_known_ones(matrix):
    with pytest.raises(ValueError, match=r"no votes of \['link', 'caps'\]: it has \['links', 'short'"):
        conflicting_rows(matrix, "link", "caps")
    with pytest.raises(ValueError, match=r"no votes of \['caps'\]: it has \['links', 'short'"):
        rows_where(matrix, {"links": 1, "caps": 1})


def test_an_lf_has_no_conflict_with_itself(matrix):
    with pytest.raises(ValueError, match="'links' was named twice: expected two different"):
        conflicting_rows(matrix, "links", "links")


def test_votes_that_no_lf_can_cast_are_refused(matrix):
    with pytest.raises(ValueError, match=r"\{'links': 2\} are not legal: expected one of \(0, -1, 1\)"):
        rows_where(matrix, {"links": 2, "short": 1})


def test_no_votes_at_all_are_refused(matrix):
    with pytest.raises(ValueError, match="no votes were given: expected those of one or more"):
        rows_where(matrix, {})


def test_an_lf_called_like_a_key_column_is_refused(spark):
    df = spark.createDataFrame([(1, bytes([1, 255]))], "id long, votes binary")
    matrix = LabelMatrix(df, ("id",), ("id", "other"), ("x", "y"), 2)
    with pytest.raises(SchemaError, match=r"the key columns \['id'\] have the names of columns"):
        conflicting_rows(matrix, "id", "other")
    assert found(rows_where(matrix, {"other": -1})) == [(1, -1)]
