"""The functions for notebooks, with three named classes; two LFs, each right half of the time: odds 2 for its class."""

import math

import numpy as np
import pyarrow as pa
import pytest

from dp_spark import LabeledVotes, LabelMatrix, LabelModel, flipped_rows, label_buckets, suggest_values
from dp_spark.iteration.error_buckets import _probabilities, judged_rows
from dp_spark.iteration.error_counts import count_errors
from dp_spark.iteration.flips import count_flips
from dp_spark.iteration.focus import Search

NAMES = ("politics", "science", "sport")


def labeled_votes(spark, rows, lf_names=("x", "y"), class_names=NAMES):
    """Rows are key and votes."""
    packed = [(key, np.array(votes, dtype=np.int8).tobytes()) for key, *votes in rows]
    df = spark.createDataFrame(packed, "`the.key` int, votes binary")
    matrix = LabelMatrix(df, ("the.key",), tuple(lf_names), ("",) * 2, 3, class_names)
    model = LabelModel(
        "by_hand", matrix.lf_names, matrix.lf_hashes, 3, [1 / 2] * 2, np.log([2, 2]), [1 / 3] * 3
    )
    return LabeledVotes(matrix, model)


@pytest.fixture(scope="module")
def before(spark):
    # politics 4/6; tied; uncovered; sport 2/4
    return labeled_votes(spark, [(1, 1, 1), (2, 1, 2), (3, 0, 0), (4, 3, 0)])


@pytest.fixture(scope="module")
def after(spark):
    # science 4/6; politics 4/6; sport 2/4; sport 2/4
    return labeled_votes(spark, [(1, 2, 2), (2, 1, 1), (3, 0, 3), (4, 3, 0)])


def test_flips_are_between_classes_ties_and_no_label(before, after):
    rows = {row["the.key"]: row for row in flipped_rows(before, after).collect()}
    assert {key: (row["label_before"], row["label_after"]) for key, row in rows.items()} == {
        1: ("politics", "science"), 2: ("tied", "politics"), 3: ("uncovered", "sport"),
    }  # fmt: skip
    assert rows[1]["prob_label_before"] == pytest.approx([4 / 6, 1 / 6, 1 / 6])
    assert rows[1]["prob_label_after"] == pytest.approx([1 / 6, 4 / 6, 1 / 6])
    assert (rows[1]["moved"], rows[3]["moved"]) == (pytest.approx(3 / 6), pytest.approx(1 / 2 - 1 / 3))
    flips = count_flips(before, after)
    assert (flips.num_both, flips.num_flipped, flips.num_became_covered) == (4, 3, 1)
    pushes = {push.name: push.log_odds for push in flips.pushes}  # of row 1 alone: from -log 2 to log 2
    assert pushes == {"x": pytest.approx(2 * math.log(2)), "y": pytest.approx(2 * math.log(2))}


def test_classes_in_another_order_are_not_compared(spark, before):
    other = labeled_votes(spark, [(1, 1, 1)], class_names=NAMES[::-1])
    with pytest.raises(
        ValueError, match=r"cannot be compared: their classes are \['politics', .*\] and \['sport'"
    ):
        flipped_rows(before, other)


def test_a_label_model_of_other_votes_is_refused(before, spark):
    other = labeled_votes(spark, [(1, 1, 1)], lf_names=("x", "z"))
    with pytest.raises(ValueError, match="expected the same. Fit a model on this matrix"):
        LabeledVotes(before.matrix, other.model)


def test_buckets_name_classes(spark, before):
    gold = spark.createDataFrame([(1, 2), (2, 1), (3, 3), (4, 3), (5, None)], "`the.key` int, truth int")
    rows = label_buckets(before, gold, "truth").collect()
    assert {row["the.key"]: (row["gold"], row["label"]) for row in rows} == {
        1: ("science", "politics"), 2: ("politics", "tied"), 3: ("sport", "uncovered"), 4: ("sport", "sport"),
    }  # fmt: skip
    counts = count_errors(before, judged_rows(before, gold, "truth", None))
    assert (counts.num_right, counts.num_wrong, counts.num_tied, counts.num_uncovered) == (1, 1, 1, 1)
    assert {push.name: push.log_odds for push in counts.pushes} == {
        "x": pytest.approx(math.log(2)), "y": pytest.approx(math.log(2)),
    }  # fmt: skip
    predictions = spark.createDataFrame([(1, [0.1, 0.8, 0.1])], "`the.key` int, prob_label array<double>")
    (row,) = label_buckets(before, gold, "truth", predictions).collect()
    assert (row["gold"], row["label"], row["prob_label"]) == ("science", "science", [0.1, 0.8, 0.1])


def test_suggestions_lean_to_named_classes(spark, after):
    table = spark.createDataFrame(
        [(1, "a"), (2, "a"), (3, "b"), (4, "b")], "`the.key` int, `a.column` string"
    )
    found = suggest_values(after, table, ["a.column"], Search("uncertain", 0.6, min_rows=1, min_z=-9.0))
    (only,) = found.found  # rows 3 and 4
    assert (only.column, only.value, only.num_focus, only.num_rows) == ("a.column", "b", 2, 2)
    assert (only.lean, only.num_lean, only.num_labeled) == ("sport", 2, 2)
    assert found.num_labeled == {"politics": 1, "science": 1, "sport": 2}


def test_probabilities_of_no_rows_have_as_many_classes():
    kind = pa.list_(pa.float64())
    assert _probabilities(pa.array([], kind), 3).shape == (0, 3)
    some = pa.array([[1.0, 0.0, 0.0], [0.2, 0.3, 0.5]], kind).slice(1)
    assert _probabilities(some, 3).tolist() == [[0.2, 0.3, 0.5]]
