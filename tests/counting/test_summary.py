import doctest
import json

import numpy as np
import pytest
from reference import random_votes

from dp_spark import VoteCounts, count_votes, lf_summary
from dp_spark.counting import summary
from dp_spark.counting.gold_counts import GoldCounts

LFS = ["links", "short", "caps"]
VOTES = np.array([[1, 1, 0], [1, -1, 0], [-1, -1, 0], [0, 1, 1], [0, 0, 0]], dtype=np.int8)
GOLD = np.array([1, 1, -1, 0, -1], dtype=np.int8)
COUNTS = VoteCounts.from_votes(VOTES, lf_names=LFS)
GOLD_COUNTS = GoldCounts.from_votes(VOTES, GOLD, lf_names=LFS)


def share(votes, i, holds):
    """The share of data points on which LF i votes, and `holds` for its vote and those of the others."""
    rows = [(row[i], row[:i] + row[i + 1 :]) for row in votes.tolist() if row[i] != 0]
    return sum(holds(vote, others) for vote, others in rows) / len(votes)


def test_shares_are_of_all_data_points():
    rows = lf_summary(COUNTS).rows
    assert [row.name for row in rows] == LFS
    assert [row.position for row in rows] == [0, 1, 2]
    assert [row.coverage for row in rows] == [3 / 5, 4 / 5, 1 / 5]
    assert [row.overlaps for row in rows] == [3 / 5, 4 / 5, 1 / 5]
    assert [row.conflicts for row in rows] == [1 / 5, 1 / 5, 0 / 5]


def test_the_polarity_is_every_class_an_lf_votes_in_order():
    assert [row.polarity for row in lf_summary(COUNTS).rows] == [(-1, 1), (-1, 1), (1,)]
    votes = np.array([[3, 2, 0], [1, 2, 0]], dtype=np.int8)
    rows = lf_summary(VoteCounts.from_votes(votes, num_classes=3)).rows
    assert [row.polarity for row in rows] == [(1, 3), (2,), ()]


def test_votes_are_correct_or_incorrect_only_where_gold_is_known():
    rows = lf_summary(COUNTS, GOLD_COUNTS).rows
    assert [row.correct for row in rows] == [3, 2, 0]
    assert [row.incorrect for row in rows] == [0, 1, 0]


def test_the_empirical_accuracy_is_the_share_of_correct_votes_and_unknown_without_any():
    assert [row.empirical_accuracy for row in lf_summary(COUNTS, GOLD_COUNTS).rows] == [3 / 3, 2 / 3, None]


@pytest.mark.parametrize("k", [2, 4])
def test_a_summary_of_a_table_in_spark_is_that_of_snorkels_definitions(matrix_of, k):
    votes = random_votes(200, 5, k)
    rows = lf_summary(count_votes(matrix_of(votes, num_classes=k))).rows
    lfs = range(5)
    assert [row.coverage for row in rows] == [share(votes, i, lambda vote, others: True) for i in lfs]
    assert [row.overlaps for row in rows] == [share(votes, i, lambda vote, others: any(others)) for i in lfs]
    assert [row.conflicts for row in rows] == [
        share(votes, i, lambda vote, others: bool(set(others) - {0, vote})) for i in lfs
    ]


def test_relabeling_the_lfs_permutes_the_rows():
    order = [2, 0, 1]
    gold = GoldCounts.from_votes(VOTES[:, order], GOLD, lf_names=[LFS[i] for i in order])
    counts = VoteCounts.from_votes(VOTES[:, order], lf_names=gold.lf_names)
    rows = {row["name"]: row | {"position": None} for row in lf_summary(counts, gold).to_dicts()}
    expected = {row["name"]: row | {"position": None} for row in lf_summary(COUNTS, GOLD_COUNTS).to_dicts()}
    assert rows == expected


def test_no_data_points_have_shares_of_zero():
    rows = lf_summary(VoteCounts.from_votes(VOTES[:0])).rows
    assert [(row.polarity, row.coverage, row.overlaps, row.conflicts) for row in rows] == [((), 0, 0, 0)] * 3


def test_pandas_has_the_columns_and_the_index_of_snorkel():
    table = lf_summary(COUNTS).to_pandas()
    assert table.columns.tolist() == ["j", "Polarity", "Coverage", "Overlaps", "Conflicts"]
    assert table.index.tolist() == LFS
    assert table.loc["links"].tolist() == [0, [-1, 1], 3 / 5, 3 / 5, 1 / 5]


def test_pandas_has_three_more_columns_with_gold_and_nan_for_an_unknown_accuracy():
    table = lf_summary(COUNTS, GOLD_COUNTS).to_pandas()
    assert table.columns.tolist()[5:] == ["Correct", "Incorrect", "Emp. Acc."]
    assert table[["Correct", "Incorrect"]].to_numpy().tolist() == [[3, 0], [2, 1], [0, 0]]
    assert table["Emp. Acc."].fillna(-1).tolist() == [3 / 3, 2 / 3, -1]
    assert table.dtypes.map(str).tolist() == ["int64", "object", *["float64"] * 3, *["int64"] * 2, "float64"]


def test_an_accuracy_that_is_unknown_for_all_is_still_a_column_of_numbers():
    gold = GoldCounts.from_votes(VOTES, np.array([0, 0, 0, 0, 1], dtype=np.int8), lf_names=LFS)
    accuracies = lf_summary(COUNTS, gold).to_pandas()["Emp. Acc."]
    assert str(accuracies.dtype) == "float64"
    assert accuracies.isna().all()


def test_dictionaries_are_plain_values_that_json_takes():
    rows = lf_summary(COUNTS, GOLD_COUNTS).to_dicts()
    assert json.loads(json.dumps(rows))[1] == {
        "name": "short",
        "position": 1,
        "polarity": [-1, 1],
        "coverage": 4 / 5,
        "overlaps": 4 / 5,
        "conflicts": 1 / 5,
        "correct": 2,
        "incorrect": 1,
        "empirical_accuracy": 2 / 3,
    }
    assert lf_summary(COUNTS).to_dicts()[1]["correct"] is None


def test_a_summary_is_printed_as_a_table_of_fixed_width():
    lines = str(lf_summary(COUNTS, GOLD_COUNTS)).splitlines()
    assert [line.split() for line in lines[::3]] == [
        ["LF", "j", "Polarity", "Coverage", "Overlaps", "Conflicts", "Correct", "Incorrect", "Emp.", "Acc."],
        ["caps", "2", "[1]", "0.2000", "0.2000", "0.0000", "0", "0", "-"],
    ]
    assert len(set(map(len, lines))) == 1
    assert doctest.testmod(summary).failed == 0


def test_a_long_polarity_is_printed_short():
    votes = np.arange(1, 11, dtype=np.int8)[:, None]
    assert "[1, 2, 3, 4, 5, 6, …]" in str(lf_summary(VoteCounts.from_votes(votes, num_classes=10)))


def test_the_table_calls_classes_by_their_names():
    named = lf_summary(COUNTS, GOLD_COUNTS, ["ham", "spam"])
    assert "[ham, spam]" in str(named).splitlines()[1]
    assert "[spam]" in str(named).splitlines()[3]
    assert named.rows == lf_summary(COUNTS, GOLD_COUNTS).rows
    with pytest.raises(ValueError, match="expected 2 different names"):
        lf_summary(COUNTS, None, ["ham"])


def test_gold_counts_of_other_lfs_are_refused():
    other = GoldCounts.from_votes(VOTES, GOLD, lf_names=["links", "short", "smile"])
    with pytest.raises(ValueError, match=r"gold counts are of \[.*'smile'\].*expected the same"):
        lf_summary(COUNTS, other)


def test_gold_counts_of_other_classes_are_refused():
    other = GoldCounts.from_votes(abs(VOTES), abs(GOLD), num_classes=3, lf_names=LFS)
    with pytest.raises(ValueError, match=r"with 3 classes, and the vote counts .* with 2"):
        lf_summary(COUNTS, other)
