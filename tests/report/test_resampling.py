"""Bootstrap intervals: the weights, whether they hold the truth, and what they do not depend on."""

from functools import reduce
from operator import add

import numpy as np
import pytest
from pyspark.sql import functions as F

from dp_spark import evaluate
from dp_spark.label_model.confidence import predicted_shares
from dp_spark.report.comparison import comparison_of
from dp_spark.report.resampling import percentile_interval, poisson_weights
from dp_spark.report.score_sums import Rows, ScoreSums, empty_sums
from dp_spark.report.scores import report_of

NUM_REPEATS = 400
LABELER, MODEL = 0, 1


def simulated(seed, n=250, k=2, accuracies=(0.8, 0.85)):
    """Rows of two tables that are right about as often as said, on overlapping rows."""
    random = np.random.default_rng(seed)
    gold = random.integers(0, k, n)
    common = random.random(n)  # what is hard for one is hard for the other
    probs = []
    for accuracy in accuracies:
        is_right = 0.5 * common + 0.5 * random.random(n) < np.sqrt(0.5) * np.sqrt(accuracy) * 0.9
        named = np.where(is_right, gold, (gold + random.integers(1, k, n)) % k)
        sure = 0.55 + 0.4 * random.random(n)
        probs.append(np.where(np.eye(k)[named] > 0, sure[:, None], (1 - sure[:, None]) / (k - 1)))
    return Rows(random.integers(-(2**63), 2**63 - 1, n), random.random(n) < 0.7, gold, np.stack(probs))


def scores_in(rows):
    """Accuracy, log loss and macro F1 of each table, and the difference in accuracy, straight from the rows."""
    found = []
    for probs in rows.probs:
        named, k = probs.argmax(axis=1), probs.shape[1]
        f1 = [
            2 * ((named == c) & (rows.gold == c)).sum() / ((named == c).sum() + (rows.gold == c).sum())
            for c in range(k)
        ]
        loss = -np.log(probs[np.arange(len(named)), rows.gold])
        found.append([(named == rows.gold).mean(), loss.mean(), np.mean(f1)])
    return np.array(found)


def test_weights_are_poisson_and_independent_of_each_other():
    weights = poisson_weights(np.arange(4000, dtype=np.int64), 500, 0)
    expected = [np.exp(-1), np.exp(-1), np.exp(-1) / 2, np.exp(-1) / 6]
    shares = [(weights == w).mean() for w in range(4)]
    assert shares == pytest.approx(expected, abs=0.002)
    assert (weights.mean(), weights.var()) == pytest.approx((1, 1), abs=0.005)
    between_replicates = np.corrcoef(weights[:, :40].T)
    between_rows = np.corrcoef(weights[:100])
    for correlations, size in ((between_replicates, 4000), (between_rows, 500)):
        others = correlations[~np.eye(len(correlations), dtype=bool)]
        assert np.abs(others).max() < 5 / np.sqrt(size)
        assert others.std() == pytest.approx(1 / np.sqrt(size), rel=0.15)


def test_weights_depend_on_unit_seed_and_replicate_alone():
    units = np.array([5, -(2**63), 2**63 - 1, 5], dtype=np.int64)
    weights = poisson_weights(units, 500, 3)
    assert np.array_equal(weights[0], weights[3])
    assert np.array_equal(poisson_weights(units[::-1], 500, 3), weights[::-1])
    assert np.array_equal(poisson_weights(units, 7, 3), weights[:, :7])
    assert (poisson_weights(units, 500, 4) != weights).mean() > 0.5
    assert poisson_weights(units, 0, 3).shape == (4, 0)


def test_intervals_of_few_rows_or_no_replicates_are_left_out():
    values = np.linspace(0, 1, 201)
    assert percentile_interval(values, 10) == pytest.approx((0.025, 0.975))
    assert percentile_interval(values, 9) is None
    assert percentile_interval(np.array([]), 100) is None
    assert percentile_interval(np.array([np.nan, 0.5]), 100) == (0.5, 0.5)


@pytest.mark.slow
@pytest.mark.parametrize("k", [2, 4])
def test_intervals_hold_the_truth_about_as_often_as_they_say(k):
    truth = scores_in(simulated(99, n=400_000, k=k))
    held = {"accuracy": [], "log_loss": [], "macro_f1": [], "difference": [], "loss difference": []}
    for seed in range(NUM_REPEATS):
        sums = empty_sums(k, 2, 300, 0).with_rows(simulated(seed, k=k))
        intervals = report_of(sums, MODEL, False).all.intervals
        for column, name in enumerate(("accuracy", "log_loss", "macro_f1")):
            low, high = intervals[name]
            held[name].append(low <= truth[MODEL, column] <= high)
        (found,) = comparison_of(sums, ["labels", "end_model"], "end_model", False).differences
        gap = truth[MODEL] - truth[LABELER]
        held["difference"].append(found.accuracy_interval[0] <= gap[0] <= found.accuracy_interval[1])
        held["loss difference"].append(found.log_loss_interval[0] <= gap[1] <= found.log_loss_interval[1])
    shares = {name: float(np.mean(values)) for name, values in held.items()}
    print(k, shares)
    assert all(0.915 <= share <= 0.98 for share in shares.values()), shares


def test_differences_are_paired():
    rows = simulated(1, accuracies=(0.8, 0.8))
    same = Rows(rows.units, rows.covered, rows.gold, np.stack([rows.probs[0], rows.probs[0]]))
    (found,) = comparison_of(empty_sums(2, 2, 100, 0).with_rows(same), ["a", "b"], "b", False).differences
    assert (found.accuracy, found.accuracy_interval, found.log_loss_interval) == (0, (0, 0), (0, 0))
    sums = empty_sums(2, 2, 500, 0).with_rows(rows)
    (found,) = comparison_of(sums, ["a", "b"], "b", False).differences
    wide = [high - low for low, high in (report_of(sums, i, False).all.intervals["accuracy"] for i in (0, 1))]
    assert found.accuracy_interval[1] - found.accuracy_interval[0] < 0.9 * np.hypot(*wide)


def test_sums_of_parts_add_up_to_those_of_the_whole():
    rows, start = simulated(2, n=9000, k=3), empty_sums(3, 2, 20, 7)
    whole = start.with_rows(rows)
    cuts = np.split(np.random.default_rng(0).permutation(9000), [1, 1, 700, 5000])
    parts = [
        start.with_rows(Rows(rows.units[i], rows.covered[i], rows.gold[i], rows.probs[:, i])) for i in cuts
    ]
    summed = reduce(add, (ScoreSums.from_bytes(part.to_bytes()) for part in parts))
    for name in ("gold", "hits", "predicted", "loss", "confusion", "bins"):
        np.testing.assert_allclose(getattr(summed, name), getattr(whole, name), rtol=1e-12)
    assert whole.gold[:, :, 0].sum() == 9000


def test_scores_are_those_of_scikit_learn():
    from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, log_loss

    rows = simulated(3, n=1000, k=3)
    found = report_of(empty_sums(3, 2, 0, 0).with_rows(rows), MODEL, True).all
    named = rows.probs[MODEL].argmax(axis=1)
    assert found.accuracy == pytest.approx(accuracy_score(rows.gold, named))
    assert found.macro_f1 == pytest.approx(f1_score(rows.gold, named, average="macro"))
    assert [c.f1 for c in found.classes] == pytest.approx(f1_score(rows.gold, named, average=None))
    assert found.log_loss == pytest.approx(log_loss(rows.gold, rows.probs[MODEL]))
    assert np.array_equal(found.confusion, confusion_matrix(rows.gold, named))


def test_intervals_do_not_depend_on_partitioning(spark):
    table = spark.range(3000).select(
        "id",
        (F.pmod(F.xxhash64("id"), F.lit(1000)) / 999).alias("prob_label"),
        F.pmod("id", F.lit(3)).cast("int").alias("num_votes"),
        F.when(F.rand(1) < 0.4, -1).otherwise(1).alias("gold"),
    )
    rows = table.toPandas()  # once: `rand` of another partitioning is another one
    table = spark.createDataFrame(rows)
    reports = [
        evaluate(part.drop("gold"), part.select("id", "gold"), key=["id"])
        for part in (table.coalesce(1), table.repartition(7, "gold"), table.orderBy(F.desc("prob_label")))
    ]
    for report in reports[1:]:
        for part in ("all", "covered", "uncovered"):
            expected, found = getattr(reports[0], part), getattr(report, part)
            assert set(found.intervals) == {"accuracy", "log_loss", "macro_f1", "f1"}
            for name, interval in expected.intervals.items():
                assert found.intervals[name] == pytest.approx(interval, rel=1e-12)
    low, high = reports[0].all.intervals["accuracy"]
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(0.25 / 3000), rel=0.15)


def test_rows_of_one_cluster_are_drawn_together(spark):
    rows = [
        (i, i // 10, 0.9 if (i // 10) % 2 else 0.1, 1) for i in range(1000)
    ]  # clusters are right or wrong
    table = spark.createDataFrame(rows, "id int, page int, prob_label double, gold int")
    labels, gold = table.select("id", "prob_label"), table.select("id", "page", "gold")
    widths = []
    for cluster in ([], ["page"]):
        low, high = evaluate(labels, gold, key=["id"], cluster=cluster).all.intervals["accuracy"]
        widths.append(high - low)
    assert widths[1] / widths[0] == pytest.approx(np.sqrt(10), rel=0.2)


def test_the_shares_of_a_prediction_add_up_to_one():
    shares = predicted_shares(np.array([[0.2, 0.4, 0.4], [1.0, 0.0, 0.0]]))
    assert shares.tolist() == [[0, 0.5, 0.5], [1, 0, 0]]
