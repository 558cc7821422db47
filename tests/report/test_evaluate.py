import math

import pytest

from dp_spark import evaluate
from dp_spark.errors import SchemaError

#         id  prob  votes
LABELS = [(1, 0.9, 2), (2, 0.6, 1), (3, 0.2, 3), (4, 0.5, 0), (5, 0.5, 0), (6, 0.7, 1)]
GOLD = [(1, 1), (2, -1), (3, -1), (4, 1), (5, -1), (6, 0)]


@pytest.fixture(scope="module")
def report(spark):
    labels = spark.createDataFrame(LABELS, "id int, prob_label double, num_votes int")
    return evaluate(labels, spark.createDataFrame(GOLD, "id int, gold int"), key=["id"])


def test_ties_earn_half_of_the_credit(report):
    assert report.all.accuracy == (1 + 0 + 1 + 1 / 2 + 1 / 2) / 5
    assert report.uncovered.accuracy == 1 / 2


def test_precision_recall_and_f1_are_those_of_the_positive_class(report):
    assert report.all.precision == pytest.approx((1 + 1 / 2) / (2 + 2 / 2))
    assert report.all.recall == pytest.approx((1 + 1 / 2) / 2)
    assert report.all.f1 == pytest.approx(2 * 0.5 * 0.75 / (0.5 + 0.75))
    assert report.covered.precision == 1 / 2


def test_log_loss_is_the_mean_in_nats(report):
    expected = -(math.log(0.9) + math.log(0.4) + math.log(0.8) + 2 * math.log(0.5)) / 5
    assert report.all.log_loss == pytest.approx(expected, abs=1e-12)


def test_the_calibration_error_is_that_of_bins_of_confidence(spark, report):
    #        0.9 right         0.6 wrong        0.8 right         2 ties: half right at 1/2
    gaps = [abs(1 - 0.9), abs(0 - 0.6), abs(1 - 0.8), 0]
    assert report.all.expected_calibration_error == pytest.approx(sum(gaps) / 5)
    assert report.covered.expected_calibration_error == pytest.approx(sum(gaps) / 3)
    assert report.uncovered.expected_calibration_error == 0
    bins = [(0.5, 1 / 2, 2), (0.6, 0, 1), (0.8, 1, 1), (0.9, 1, 1)]  # mean confidence, share correct, rows
    assert [pytest.approx(b) for b in report.all.calibration] == bins
    edges = [(1, 0.8, 1), (2, 0.2, 0), (3, 0.79, 1), (4, 0.0, 1)]  # three of (0.75, 0.8], however many parts
    labels = spark.createDataFrame(edges, "id int, prob_label double, num_votes int")
    gold = spark.createDataFrame([(1, 1), (2, 1), (3, 1), (4, -1)], "id int, gold int")
    found = evaluate(labels, gold, key=["id"])
    assert found.all.expected_calibration_error == pytest.approx(abs(2 - 0.8 - 0.8 - 0.79) / 4)
    assert found.covered.expected_calibration_error == pytest.approx(abs(2 - 0.8 - 0.79) / 3)


def test_covered_and_uncovered_rows_are_told_apart(report):
    assert (report.all.num_data_points, report.covered.num_data_points, report.uncovered.num_data_points) == (
        5,
        3,
        2,
    )
    assert report.covered.accuracy == 2 / 3
    assert report.all.num_positive == 2


def test_rows_without_gold_are_counted_and_left_out(spark, report):
    assert report.num_without_gold == 1
    labels = spark.createDataFrame([(1, 0.9), (99, 0.1)], "id int, prob_label double")
    gold = spark.createDataFrame([(1, 1), (50, 1)], "id int, gold int")
    other = evaluate(labels, gold, key=["id"])
    assert (other.all.num_data_points, other.num_without_gold, other.covered) == (1, 1, None)


def test_a_certain_mistake_costs_a_finite_loss(spark):
    labels = spark.createDataFrame([(1, 0.0)], "id int, prob_label double")
    found = evaluate(labels, spark.createDataFrame([(1, 1)], "id int, gold int"), key=["id"])
    assert found.all.log_loss == pytest.approx(-math.log(1e-15))
    assert (found.all.precision, found.all.recall) == (None, 0.0)


@pytest.mark.parametrize(
    ("labels", "gold", "message"),
    [
        ([(1, 0.5)], [(1, 2)], "1 values of 'gold' are not gold labels: expected -1 or"),
        ([(1, 0.5), (2, 0.5)], [(1, 1), (2, 0)], "'gold' holds 1 times 0 and 1 times 1, but never -1"),
        ([(1, 1.5)], [(1, 1)], r"1 values of 'prob_label' are null, NaN or outside \[0, 1\]"),
        ([(1, float("nan"))], [(1, 1)], "1 values of 'prob_label' are null, NaN"),
        ([(1, None)], [(1, 1)], "1 values of 'prob_label' are null, NaN"),
        ([(1, 0.5)], [(2, 1)], "none of 1 labels has a gold label"),
        ([(1, 0.5)], [(1, 1), (1, -1)], r"the key \['id'\] occurs more than once, such as \[\{'id': 1\}\]"),
    ],
)
def test_tables_that_cannot_be_compared_are_refused(spark, labels, gold, message):
    left = spark.createDataFrame(labels, "id int, prob_label double")
    right = spark.createDataFrame(gold, "id int, gold int")
    with pytest.raises(SchemaError, match=message):
        evaluate(left, right, key=["id"])


def test_a_missing_column_is_named(spark):
    left = spark.createDataFrame([(1, 0.5)], "id int, prob double")
    with pytest.raises(SchemaError, match="the table of labels lacks columns: evaluate reads 'prob_label'"):
        evaluate(left, left, key=["id"])


def test_readers_of_older_metrics_find_every_number_where_it_was(report):
    numbers = "num_data_points num_positive accuracy precision recall f1 log_loss expected_calibration_error"
    content = report.to_dict()
    assert set(content) == {"all", "covered", "uncovered", "num_without_gold"}
    assert all(set(numbers.split()) < set(content[part]) for part in ("all", "covered", "uncovered"))


#                id  probabilities      votes gold
OF_THREE = [
    (1, [0.7, 0.2, 0.1], 2, 1),
    (2, [0.4, 0.4, 0.2], 1, 2),  # a tie of the first two: half right
    (3, [0.1, 0.3, 0.6], 1, 1),
    (4, [1 / 3, 1 / 3, 1 / 3], 0, 3),  # a tie of all: a third right
    (5, [0.1, 0.8, 0.1], 1, 2),
    (6, [0.2, 0.2, 0.6], 1, 0),
]


@pytest.fixture(scope="module")
def of_three(spark):
    table = spark.createDataFrame(OF_THREE, "id int, prob_label array<double>, num_votes int, gold int")
    return evaluate(table.drop("gold"), table.select("id", "gold"), key=["id"])


def test_k_classes_share_the_credit_of_ties(of_three):
    assert of_three.all.accuracy == pytest.approx((1 + 1 / 2 + 0 + 1 / 3 + 1) / 5)
    assert of_three.uncovered.accuracy == pytest.approx(1 / 3)
    assert (of_three.all.num_data_points, of_three.num_without_gold) == (5, 1)
    assert of_three.all.log_loss == pytest.approx(-math.log(0.7 * 0.4 * 0.1 * (1 / 3) * 0.8) / 5)
    third = 1 / 3
    rows = [[1, 0, 1], [1 / 2, 1 / 2 + 1, 0], [third, third, third]]
    assert [pytest.approx(row) for row in rows] == [list(row) for row in of_three.all.confusion]


def test_each_of_k_classes_has_its_precision_recall_and_f1(of_three):
    assert [c.vote for c in of_three.all.classes] == [1, 2, 3]
    assert [c.num_data_points for c in of_three.all.classes] == [2, 2, 1]
    hits, predicted, gold = [1, 3 / 2, 1 / 3], [1 + 1 / 2 + 1 / 3, 3 / 2 + 1 / 3, 1 + 1 / 3], [2, 2, 1]
    f1 = [2 * h / (p + g) for h, p, g in zip(hits, predicted, gold, strict=True)]
    shares = [(c.precision, c.recall, c.f1) for c in of_three.all.classes]
    assert shares == [
        pytest.approx((h / p, h / g, f)) for h, p, g, f in zip(hits, predicted, gold, f1, strict=True)
    ]
    assert of_three.all.macro_f1 == pytest.approx(sum(f1) / 3)
    assert (of_three.all.num_positive, of_three.all.precision, of_three.all.f1) == (None, None, None)


def test_the_calibration_error_of_k_classes_has_bins_from_one_in_k_on(of_three):
    gaps = [abs(1 - 0.7), abs(1 / 2 - 0.4), abs(0 - 0.6), 0, abs(1 - 0.8)]  # no two in one bin
    assert of_three.all.expected_calibration_error == pytest.approx(sum(gaps) / 5)


@pytest.mark.parametrize(
    ("probs", "gold", "message"),
    [
        ([[0.5, 0.5, 0.0], [0.5, 0.4, 0.0]], [1, 2], "1 values of 'prob_label' .* or not 3 that add up to 1"),
        ([[0.5, 0.5, 0.0], [0.5, 0.5]], [1, 2], "1 values of 'prob_label' are null, NaN or outside"),
        ([[0.5, 0.5, 0.0], None], [1, 2], "1 values of 'prob_label' are null, NaN or outside"),
        ([[0.5, 0.5, 0.0], [0.5, None, 0.5]], [1, 2], "1 values of 'prob_label' are null, NaN or outside"),
        ([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0]], [1, 4], "1 values of 'gold' are not .* expected 1 to 3"),
        ([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0]], [1, -1], "1 values of 'gold' are not .* expected 1 to 3"),
    ],
)
def test_labels_and_gold_of_k_classes_are_checked(spark, probs, gold, message):
    rows = [(i, *row) for i, row in enumerate(zip(probs, gold, strict=True))]
    table = spark.createDataFrame(rows, "id int, prob_label array<double>, gold int").coalesce(1)
    with pytest.raises(SchemaError, match=message):
        evaluate(table, table.select("id", "gold"), key=["id"])


def test_a_gold_label_that_is_no_whole_number_is_refused(spark):
    table = spark.createDataFrame([(1, 0.5, 0.7)], "id int, prob_label double, gold double")
    with pytest.raises(SchemaError, match="1 values of 'gold' are not gold labels"):
        evaluate(table, table.select("id", "gold"), key=["id"])
