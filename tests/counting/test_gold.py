import io
from itertools import permutations

import numpy as np
import pytest
from reference import random_votes

from dp_spark import LabelMatrix, count_gold
from dp_spark.counting import patterns
from dp_spark.counting.gold_counts import GoldCounts, empty_gold_counts
from dp_spark.counting.indicators import BLOCK_ROWS
from dp_spark.errors import SchemaError

#                 LF a   b
VOTES = np.array([[1, 1], [1, -1], [-1, -1], [0, 1], [0, 0]], dtype=np.int8)
GOLD = np.array([1, -1, -1, 0, 1], dtype=np.int8)
#      gold -1      +1
JOINT = [[[1, 0], [1, 1]], [[2, 0], [0, 1]]]


@pytest.fixture(scope="module")
def matrix(matrix_of):
    return matrix_of(VOTES, ["a", "b"])


@pytest.fixture
def gold_of(spark):
    """A table of gold labels with the key `id`: 0, 1, ..."""

    def make(values, kind="int"):
        return spark.createDataFrame(list(enumerate(values)), f"id long, gold {kind}")

    return make


def brute_force(votes, gold, k):
    classes = [-1, 1] if k == 2 else list(range(1, k + 1))
    return [
        [[sum((votes[:, i] == a) & (gold == c)) for c in classes] for a in classes]
        for i in range(votes.shape[1])
    ]


def test_joint_counts_say_how_often_an_lf_votes_a_where_gold_is_c(matrix, gold_of):
    counts = count_gold(matrix, gold_of(GOLD.tolist()))
    assert (counts.lf_names, counts.num_classes, counts.num_gold) == (("a", "b"), 2, 4)
    assert counts.joint.tolist() == JOINT
    assert counts.joint.dtype == np.int64


def test_correct_votes_are_those_for_the_gold_class():
    counts = GoldCounts.from_votes(VOTES, GOLD)
    assert counts.correct.tolist() == [2, 3]
    assert counts.incorrect.tolist() == [1, 0]


def test_gold_that_is_null_zero_or_absent_is_not_known(spark, matrix):
    gold = spark.createDataFrame([(0, 1), (1, None), (2, 0), (99, -1)], "id long, gold int")
    assert count_gold(matrix, gold).joint.tolist() == [[[0, 0], [0, 1]], [[0, 0], [0, 1]]]


def test_votes_without_a_row_in_gold_are_left_out(matrix, gold_of):
    counts = count_gold(matrix, gold_of(GOLD[:2].tolist()))
    assert counts.num_gold == 2
    assert counts.joint.tolist() == [[[0, 0], [1, 1]], [[1, 0], [0, 1]]]


@pytest.mark.parametrize("k", [2, 4])
def test_spark_and_numpy_agree_with_a_count_by_hand(matrix_of, gold_of, k):
    votes, gold = random_votes(400, 5, k), random_votes(400, 1, k, seed=1, coverage=0.7)[:, 0]
    counts = count_gold(matrix_of(votes, num_classes=k), gold_of(gold.tolist()))
    assert counts.joint.tolist() == brute_force(votes, gold, k)
    assert counts.to_bytes() == GoldCounts.from_votes(votes, gold, k).to_bytes()
    assert counts.correct.tolist() == ((votes == gold[:, None]) & (votes != 0)).sum(axis=0).tolist()


@pytest.mark.parametrize("num_partitions", [1, 16])
def test_counts_do_not_depend_on_partitioning(matrix, gold_of, num_partitions):
    whole = GoldCounts.from_votes(VOTES, GOLD, lf_names=["a", "b"])
    rows = matrix.df.repartition(num_partitions)
    split = LabelMatrix(rows, matrix.key, matrix.lf_names, matrix.lf_hashes, 2)
    gold = gold_of(GOLD.tolist()).repartition(num_partitions)
    assert count_gold(split, gold).to_bytes() == whole.to_bytes()


def test_counts_of_parts_add_up():
    parts = [GoldCounts.from_votes(VOTES[rows], GOLD[rows]) for rows in (slice(0, 2), slice(2, 5))]
    whole = GoldCounts.from_votes(VOTES, GOLD).to_bytes()
    assert (parts[0] + parts[1]).to_bytes() == (parts[1] + parts[0]).to_bytes() == whole


def test_patterns_are_the_votes_with_the_gold_class_in_the_last_column(matrix, gold_of):
    counts = count_gold(matrix, gold_of(GOLD.tolist()))
    found = dict(
        zip(map(tuple, counts.patterns.votes.tolist()), counts.patterns.counts.tolist(), strict=True)
    )
    assert found == {(1, 1, 1): 1, (1, -1, -1): 1, (-1, -1, -1): 1, (0, 0, 1): 1}
    assert (counts + counts).patterns.counts.tolist() == [2, 2, 2, 2]
    assert counts.patterns.sample_rate == 1.0


def test_sampled_patterns_are_the_same_whatever_the_order_of_the_parts(monkeypatch):
    monkeypatch.setattr(patterns, "MAX_PATTERNS", 40)
    votes, gold = random_votes(600, 4, 4), random_votes(600, 1, 4, seed=1, coverage=0.7)[:, 0]
    whole = GoldCounts.from_votes(votes, gold, 4)
    assert 0 < len(whole.patterns.counts) <= 40
    assert whole.patterns.log2_rate > 0
    parts = [GoldCounts.from_votes(votes[i::3], gold[i::3], 4) for i in range(3)]
    for a, b, c in permutations(parts):
        assert GoldCounts.from_bytes((a + b + c).to_bytes()).to_bytes() == whole.to_bytes()


def test_gold_counts_without_patterns_are_refused():
    buffer = io.BytesIO()
    np.savez(buffer, lf_names=np.array(["a"]), class_counts=np.zeros(2, int), joint=np.zeros((1, 2, 2), int))
    with pytest.raises(
        ValueError, match=r"hold \['class_counts', 'joint', 'lf_names'\]: .* Count the gold labels again"
    ):
        GoldCounts.from_bytes(buffer.getvalue())


def test_empty_counts_are_neutral_and_counts_come_back_from_bytes():
    counts = GoldCounts.from_votes(VOTES, GOLD, lf_names=["ä", "b"])
    again = GoldCounts.from_bytes((counts + empty_gold_counts(("ä", "b"), 2)).to_bytes())
    assert (again.lf_names, again.num_classes, again.num_gold) == (("ä", "b"), 2, 4)
    assert again.joint.tolist() == JOINT


def test_counts_are_exact_over_more_rows_than_a_block():
    n = 2 * BLOCK_ROWS + 3
    counts = GoldCounts.from_votes(np.ones((n, 1), dtype=np.int8), np.ones(n, dtype=np.int8))
    assert counts.joint.tolist() == [[[0, 0], [0, n]]]


def test_counts_of_different_lfs_cannot_be_added():
    with pytest.raises(ValueError, match="gold counts of different labeling functions cannot be added"):
        GoldCounts.from_votes(VOTES, GOLD) + GoldCounts.from_votes(VOTES, GOLD, lf_names=["a", "b"])


def test_gold_may_be_of_another_numeric_type_and_name(spark, matrix):
    values = [(i, float(value)) for i, value in enumerate(GOLD.tolist())]
    gold = spark.createDataFrame(values, "id long, `the.truth` double")
    assert count_gold(matrix, gold, "the.truth").joint.tolist() == JOINT


def test_keys_may_have_dots_and_several_columns(spark):
    df = spark.createDataFrame(
        [(1, "x", bytes([1])), (1, "y", bytes([255]))], "`a.b` int, c string, votes binary"
    )
    matrix = LabelMatrix(df, ("a.b", "c"), ("lf",), ("hash",), 2)
    gold = spark.createDataFrame([("y", 1, 1), ("x", 1, 1)], "c string, `a.b` int, gold int")
    assert count_gold(matrix, gold).joint.tolist() == [[[0, 1], [0, 1]]]


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [
        ([1, 2, 7], "int", r"'gold' holds 2, 7: expected one of \(-1, 1\), and 0 or null where"),
        ([1.0, 0.5, -1.0], "double", "'gold' holds 0.5: expected one of"),
        ([1.0, float("nan")], "double", "'gold' holds nan: expected one of"),
        (["spam", "ham"], "string", r"'gold' are of type string: expected one of \(-1, 1\)"),
        ([0, 1, 1], "int", "holds 0 and 1, but never -1: expected -1 for the negative class. Recode 0 as -1"),
        (
            [0, None, 0],
            "int",
            r"no data point .* has a gold label in 'gold': expected keys \['id'\] that occur",
        ),
    ],
)
def test_illegal_gold_is_refused(matrix, gold_of, values, kind, message):
    with pytest.raises(SchemaError, match=message):
        count_gold(matrix, gold_of(values, kind))


def test_illegal_gold_of_k_classes_is_refused_with_at_most_five_examples(matrix_of, gold_of):
    matrix = matrix_of([[1], [4]], num_classes=4)
    with pytest.raises(SchemaError, match=r"'gold' holds -?\d+(, -?\d+){4}: expected one of \(1, 2, 3, 4\)"):
        count_gold(matrix, gold_of([*range(-20, 20)]))


def test_gold_of_no_data_point_of_the_matrix_is_refused(spark, matrix):
    gold = spark.createDataFrame([(77, 1)], "id long, gold int")
    with pytest.raises(SchemaError, match="Check that both have the same key values"):
        count_gold(matrix, gold)


def test_a_key_that_occurs_twice_in_gold_is_refused(spark, matrix):
    gold = spark.createDataFrame([(1, 1), (1, -1)], "id long, gold int")
    with pytest.raises(SchemaError, match=r"occurs more than once, such as \[\{'id': 1\}\]"):
        count_gold(matrix, gold)


def test_missing_columns_of_gold_are_named(spark, matrix):
    with pytest.raises(SchemaError, match=r"table of gold labels lacks columns: count_gold reads 'truth'"):
        count_gold(matrix, spark.createDataFrame([(1, 1)], "id long, gold int"), "truth")


def test_votes_of_another_number_of_lfs_are_refused_on_the_driver(matrix, gold_of):
    wrong = LabelMatrix(matrix.df, matrix.key, ("a", "b", "c"), (), 2)
    with pytest.raises(SchemaError, match="not 3 bytes long: expected one byte for each of the 3"):
        count_gold(wrong, gold_of(GOLD.tolist()))


@pytest.mark.parametrize(
    ("gold", "message"),
    [
        ([1, 1], r"gold has shape \(2,\).*expected \(n, m\), \(n,\) and m"),
        ([1, 1, 2, 0, 1], r"gold\[2\] is 2: expected one of \(-1, 1\), or 0"),
    ],
)
def test_illegal_gold_in_memory_is_refused(gold, message):
    with pytest.raises(ValueError, match=message):
        GoldCounts.from_votes(VOTES, np.array(gold, dtype=np.int8))
