"""Tables of labels beside each other, on the same rows."""

import json

import numpy as np
import pytest

from dp_spark.errors import SchemaError
from dp_spark.report.compare import compare
from dp_spark.report.comparison import MOST_FREQUENT_CLASS, comparison_of
from dp_spark.report.score_sums import Rows, empty_sums
from dp_spark.report.scores_text import comparison_lines

#      id  labels votes end model gold
ROWS = [
    (1, 0.9, 2, 0.8, 1),
    (2, 0.8, 1, 0.4, -1),
    (3, 0.5, 0, 0.7, 1),
    (4, 0.5, 0, 0.2, -1),
    (5, 0.5, 0, 0.9, -1),
    (6, 0.9, 1, 0.1, 0),
]


@pytest.fixture(scope="module")
def tables(spark):
    table = spark.createDataFrame(ROWS, "id int, labels double, num_votes int, end_model double, gold int")
    return {
        "labels": table.selectExpr("id", "labels AS prob_label", "num_votes"),
        "end_model": table.selectExpr("id", "end_model AS prob_label"),
    }, table.select("id", "gold")


@pytest.fixture(scope="module")
def found(tables):
    return compare(*tables, key=["id"])


def test_all_tables_are_scored_on_the_same_rows(found):
    assert {name: report.all.num_data_points for name, report in found.reports.items()} == {
        "labels": 5,
        "end_model": 5,
    }
    assert found.reports["end_model"].uncovered.accuracy == 2 / 3  # whether covered is known from the labels
    assert found.reports["end_model"].covered.accuracy == 1
    assert found.reports["labels"].covered.accuracy == 1 / 2


def test_a_difference_is_the_subjects_score_minus_the_others(found):
    assert found.difference("labels", "all").accuracy == pytest.approx(4 / 5 - (1 + 3 / 2) / 5)
    assert found.difference("labels", "covered").accuracy == 1 - 1 / 2
    assert found.difference("labels", "uncovered").accuracy == pytest.approx(2 / 3 - 1 / 2)
    loss = -np.log(0.8 * 0.6 / (0.9 * 0.2)) / 2
    assert found.difference("labels", "covered").log_loss == pytest.approx(loss)
    guess = found.difference(MOST_FREQUENT_CLASS, "uncovered")
    assert guess.accuracy == pytest.approx(2 / 3 - 2 / 3)  # -1 is the most frequent
    assert (guess.log_loss, guess.num_data_points) == (None, 3)
    assert found.difference(MOST_FREQUENT_CLASS, "covered") is None


def test_few_rows_give_no_interval_and_no_verdict(found):
    assert found.difference("labels", "all").accuracy_interval is None
    assert found.generalizes is None
    assert found.verdict.startswith("3 rows without a vote are too few to say whether the end model")
    json.dumps(found.to_dict(), allow_nan=False)


def judged(accuracy_uncovered, accuracy_covered, label_accuracy=0.8, n=1000, share_uncovered=0.5):
    """A comparison in which the end model and the labels are right on some shares of n rows, half of class 1."""
    random = np.random.default_rng(0)
    gold, is_covered = np.arange(n) % 2, np.arange(n) >= share_uncovered * n
    sure = 0.9

    def probs_of(is_right, value):
        named = np.where(is_right, gold, 1 - gold)
        return np.where(np.eye(2)[named] > 0, value[:, None], 1 - value[:, None])

    right = random.random(n) < np.where(is_covered, accuracy_covered, accuracy_uncovered)
    of_model = probs_of(right, np.full(n, sure))
    of_labels = probs_of(random.random(n) < label_accuracy, np.where(is_covered, sure, 0.5))
    units = random.integers(0, 2**62, n)
    rows = Rows(units, is_covered, gold, np.stack([of_labels, of_model]))
    return comparison_of(empty_sums(2, 2, 200, 0).with_rows(rows), ["labels", "end_model"], "end_model", True)


@pytest.mark.parametrize(
    ("uncovered", "generalizes", "says"),
    [
        (0.8, True, "the end model generalises beyond the labeling functions: on 500 rows without a vote"),
        (0.2, False, "the end model does not generalise beyond the labeling functions: on 500 rows"),
        (0.5, None, "it is not shown that the end model generalises beyond the labeling functions: on"),
    ],
)
def test_the_verdict_says_whether_uncovered_rows_are_better_than_a_guess(uncovered, generalizes, says):
    comparison = judged(uncovered, 0.8)
    assert comparison.generalizes is generalizes
    assert comparison.verdict.startswith(says)


@pytest.mark.parametrize(
    ("covered", "says"),
    [
        (0.95, "better than the labels: +0."),
        (0.6, "worse than the labels: -0."),
        (0.8, "not told apart from"),
    ],
)
def test_the_verdict_compares_covered_rows_with_the_labels(covered, says):
    assert f"on 500 rows with votes it is {says}" in judged(0.8, covered).verdict


def test_the_text_has_a_line_for_each_difference_and_the_verdict():
    comparison = judged(0.8, 0.95)
    lines = comparison_lines(json.loads(json.dumps(comparison.to_dict())))
    assert len(lines) == 1 + len(comparison.differences) + 1
    assert lines[0].startswith("end model (test rows) minus")
    low, high = comparison.difference("labels", "covered").accuracy_interval
    (line,) = [line for line in lines if line.startswith("labels, covered rows")]
    assert f"({low:+.4f} to {high:+.4f})" in line
    assert lines[-1].startswith("The end model generalises beyond the labeling functions: on 500 rows")


def test_without_votes_there_is_nothing_covered(tables):
    table, gold = tables
    found = compare(
        {"labels": table["labels"].drop("num_votes"), "end_model": table["end_model"]}, gold, key=["id"]
    )
    assert [(d.minus, d.part) for d in found.differences] == [("labels", "all")]
    assert found.reports["labels"].covered is None
    assert found.verdict.endswith("nothing is known of rows with votes.")


def test_k_classes_are_compared(spark):
    rows = [(i, [0.2, 0.2, 0.6], 1, [0.1, 0.8, 0.1], 2 if i % 4 else 3) for i in range(40)]
    table = spark.createDataFrame(rows, "id int, l array<double>, num_votes int, e array<double>, gold int")
    tables = {
        "labels": table.selectExpr("id", "l AS prob_label", "num_votes"),
        "end_model": table.selectExpr("id", "e AS prob_label"),
    }
    found = compare(tables, table.select("id", "gold"), key=["id"])
    assert found.difference("labels", "covered").accuracy == pytest.approx(3 / 4 - 1 / 4)
    assert set(found.reports["labels"].all.intervals) == {"accuracy", "log_loss", "macro_f1"}
    assert found.difference("labels", "uncovered").accuracy is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e: e.where("id != 2"), "'end_model' lacks 1 of 5 rows with a gold label: expected every"),
        (lambda e: e.unionAll(e.where("id = 2")), r"the key of 'end_model' \['id'\] occurs more than once"),
        (lambda e: e.selectExpr("id", "2.0D AS prob_label"), "5 values of 'prob_label' of 'end_model' are"),
        (lambda e: e.selectExpr("id", "array(prob_label, 0D) AS prob_label"), "of the types {'labels': 'dou"),
        (
            lambda e: e.selectExpr("id", "prob_label AS p"),
            "the table 'end_model' lacks columns: compare read",
        ),
    ],
)
def test_tables_that_do_not_belong_together_are_refused(tables, change, message):
    table, gold = tables
    with pytest.raises(SchemaError, match=message):
        compare({**table, "end_model": change(table["end_model"])}, gold, key=["id"])


def test_gold_that_is_written_0_and_1_is_refused(tables):
    table, gold = tables
    coded = gold.selectExpr("id", "IF(gold > 0, 1, 0) AS gold")
    with pytest.raises(SchemaError, match="'gold' holds 4 times 0 and 2 times 1, but never -1"):
        compare(table, coded, key=["id"])


def test_a_subject_that_is_no_table_is_refused(tables):
    with pytest.raises(ValueError, match=r"subject is 'model': expected one of \['labels', 'end_model'\]"):
        compare(*tables, key=["id"], subject="model")
