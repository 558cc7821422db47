import json
import math

import numpy as np
import pytest
from label_matrices import dependent, two_sided

from dp_spark import LabelModel, VoteCounts, calibration, fit_label_model
from dp_spark.counting import patterns
from dp_spark.counting.gold_counts import GoldCounts, empty_gold_counts
from dp_spark.label_model.calibration import MAX_Z, with_calibration
from dp_spark.label_model.confidence import NUM_BINS
from dp_spark.label_model.fit import MODELS
from dp_spark.label_model.model import log_odds_weights

VOTES = np.array([[1, 0], [1, 0], [0, -1], [-1, 0], [-1, 0], [0, 0]], dtype=np.int8)
GOLD = np.array([1, -1, -1, -1, -1, 1], dtype=np.int8)


def model_of(accuracies, k=2, factor=1.0):
    """A model of these accuracies, whose weights are multiplied with a factor."""
    p = np.array(accuracies)
    names = tuple(f"lf_{i}" for i in range(len(p)))
    return LabelModel("one_coin", names, (), k, p, factor * log_odds_weights(p, k), np.full(k, 1 / k))


def counted(votes, gold, k=2):
    return GoldCounts.from_votes(np.asarray(votes, dtype=np.int8), np.asarray(gold, dtype=np.int8), k)


def drawn(model, votes, seed):
    """Gold labels of which the model's probabilities are true."""
    probs, random = model.predict_proba(votes), np.random.default_rng(seed)
    position = (random.random((len(votes), 1)) > probs.cumsum(axis=1)).sum(axis=1)
    return np.array(model.classes)[position].astype(np.int8)


def test_the_numbers_of_a_small_example_are_those_computed_by_hand():
    found = calibration(model_of([0.8, 0.6]), counted(VOTES, GOLD))
    assert (found.num_gold, found.num_uncovered, found.sample_rate) == (5, 1, 1.0)
    assert found.accuracy == 4 / 5
    assert found.mean_confidence == pytest.approx((4 * 0.8 + 0.6) / 5)
    assert found.log_loss == pytest.approx(-(3 * math.log(0.8) + math.log(0.2) + math.log(0.6)) / 5)
    assert found.brier_score == pytest.approx((3 * 2 * 0.04 + 2 * 0.64 + 2 * 0.16) / 5)
    assert found.expected_calibration_error == pytest.approx((abs(3 - 4 * 0.8) + abs(1 - 0.6)) / 5)


def test_z_is_spiegelhalters_for_two_classes():
    found = calibration(model_of([0.8, 0.6]), counted(VOTES, GOLD))
    rows = [(0.8, 1), (0.8, 0), (0.6, 1), (0.8, 1), (0.8, 1)]  # confidence, and whether the label is right
    above = sum((right - p) * (1 - 2 * p) for p, right in rows)
    variance = sum((1 - 2 * p) ** 2 * p * (1 - p) for p, _ in rows)
    assert found.z == pytest.approx(above / math.sqrt(variance))
    assert found.max_z == pytest.approx(3 + 1.5 / math.sqrt(variance))
    assert not found.is_miscalibrated


def test_bins_hold_their_rows_and_a_wilson_interval():
    found = calibration(model_of([0.8, 0.6]), counted(VOTES, GOLD))
    assert len(found.bins) == NUM_BINS
    assert [b.num_gold for b in found.bins] == [0, 1, 0, 0, 0, 4, 0, 0, 0, 0]  # 0.6 and 0.8 are upper edges
    four = found.bins[5]
    assert (four.low, four.high, four.share_correct) == pytest.approx((0.75, 0.8, 3 / 4))
    assert four.mean_confidence == pytest.approx(0.8)
    assert four.interval == pytest.approx((0.3006, 0.9544), abs=1e-4)  # of 3 of 4, from a table
    assert found.bins[1].interval == pytest.approx((0.2065, 1.0), abs=1e-4)
    assert (found.bins[0].mean_confidence, found.bins[0].interval) == (None, None)


def test_a_confidence_at_an_edge_is_in_the_bin_below_whatever_its_last_bits():
    for position in range(NUM_BINS - 1):  # of some of these the last bits depend on the class
        model = model_of([0.25 + 0.075 * (position + 1)], k=4)
        found = calibration(model, counted([[1], [2], [3], [4]], [1, 1, 1, 1], k=4))
        assert found.bins[position].num_gold == 4


def test_ties_share_the_credit():
    found = calibration(model_of([0.7, 0.7]), counted([[1, -1], [1, 1]], [1, 1]))
    assert found.accuracy == (1 / 2 + 1) / 2
    assert found.bins[0].num_gold == 1
    four = calibration(model_of([0.7, 0.7], k=4), counted([[2, 3], [2, 3], [2, 3]], [2, 3, 1], k=4))
    assert four.accuracy == pytest.approx((1 / 2 + 1 / 2 + 0) / 3)


def test_k_classes_are_scored_as_row_by_row():
    votes, _ = two_sided(0, 300, (0.8, 0.7, 0.6), 0.6, k=4)
    model = model_of([0.8, 0.7, 0.6], k=4)
    gold = drawn(model, votes, 1)
    found = calibration(model, counted(votes, gold, k=4))
    covered = (votes != 0).any(axis=1)
    probs, truth = model.predict_proba(votes[covered]), gold[covered] - 1
    of_gold = probs[np.arange(len(probs)), truth]
    assert found.num_gold == covered.sum()
    assert found.num_uncovered == (~covered).sum() > 0
    assert found.log_loss == pytest.approx(-np.log(of_gold).mean())
    assert found.brier_score == pytest.approx(((probs - np.eye(4)[truth]) ** 2).sum(axis=1).mean())
    expected = [1 - (p**2).sum() for p in probs]  # Brier's score of labels that are calibrated
    variances = [sum(q * (2 * (p @ p) - 2 * q) ** 2 for q in p) for p in probs]
    z = (found.brier_score * len(probs) - sum(expected)) / math.sqrt(sum(variances))
    assert found.z == pytest.approx(z)
    assert found.bins[0].low == 1 / 4
    assert sum(b.num_gold for b in found.bins) == found.num_gold


def test_rows_without_votes_change_nothing_but_their_number():
    model = model_of([0.8, 0.6])
    fewer, more = counted(VOTES[:5], GOLD[:5]), counted(VOTES, GOLD)
    found = calibration(model, fewer).to_dict()
    assert found | {"num_uncovered": 1} == calibration(model, more).to_dict()


@pytest.mark.parametrize("gold", [empty_gold_counts(("lf_0", "lf_1"), 2), counted(VOTES[5:], GOLD[5:])])
def test_without_covered_gold_rows_there_is_no_score(gold):
    found = calibration(model_of([0.8, 0.6]), gold)
    assert (found.num_gold, found.num_uncovered) == (0, gold.num_gold)
    scores = (found.accuracy, found.mean_confidence, found.log_loss, found.brier_score, found.z, found.max_z)
    assert {*scores, found.expected_calibration_error} == {None}
    assert not found.is_miscalibrated
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False)) == found.to_dict()


def test_labels_that_say_nothing_are_not_miscalibrated():
    found = calibration(model_of([0.5]), counted([[1], [-1]], [1, 1]))
    assert (found.accuracy, found.z, found.is_miscalibrated) == (1 / 2, 0.0, False)


def test_certain_labels_that_are_wrong_are_found_and_cost_a_finite_loss():
    model = model_of([0.9], factor=100.0)
    found = calibration(model, counted([[1]] * 20, [1] * 18 + [-1] * 2))
    assert found.mean_confidence == 1.0
    assert found.log_loss == pytest.approx(-2 / 20 * math.log(1e-15))
    assert found.is_miscalibrated
    assert not calibration(model, counted([[1]] * 20, [1] * 20)).is_miscalibrated


@pytest.mark.parametrize("k", [2, 4])
@pytest.mark.parametrize("seed", range(3))
def test_calibrated_labels_have_next_to_no_error_and_no_warning(k, seed):
    votes, _ = two_sided(seed, 20_000, k=k)
    model = model_of([0.9, 0.8, 0.7, 0.65, 0.6], k)
    judged = with_calibration(model, counted(votes, drawn(model, votes, seed), k))
    assert judged.diagnostics["calibration"]["expected_calibration_error"] < 0.015
    assert judged.warnings == ()


@pytest.mark.parametrize("k", [2, 4])
@pytest.mark.parametrize(
    ("factor", "sign", "verdict"),
    [
        (2.0, 1, "the labels are over-confident: of "),
        (0.5, -1, "the labels are less certain than they may be"),
    ],
)
def test_weights_too_large_or_small_are_noticed(k, factor, sign, verdict):
    votes, _ = two_sided(0, 1000, k=k)
    accuracies = [0.9, 0.8, 0.7, 0.65, 0.6]
    gold = counted(votes, drawn(model_of(accuracies, k), votes, 0), k)
    judged = with_calibration(model_of(accuracies, k, factor), gold)
    found = judged.diagnostics["calibration"]
    assert found["expected_calibration_error"] > 0.05
    assert sign * found["z"] > MAX_Z
    (warning,) = judged.warnings
    assert warning.startswith(verdict)
    assert "Do not read labels as probabilities; name labeling functions that err together" in warning


def test_one_error_where_nearly_none_was_expected_is_no_finding():
    model = model_of([0.999])
    once, often = ([1] * 49 + [-1], [1] * 40 + [-1] * 10)
    found = calibration(model, counted([[1]] * 50, once))
    assert found.z > MAX_Z
    assert not found.is_miscalibrated
    assert calibration(model, counted([[1]] * 50, often)).is_miscalibrated


@pytest.mark.parametrize("accuracies", [[0.99, 0.98, 0.97], [0.8, 0.7, 0.6]])
def test_few_calibrated_rows_seldom_raise_a_false_alarm(accuracies):
    model = model_of(accuracies)
    sets = [two_sided(seed, 60, accuracies, 0.6)[0] for seed in range(400)]
    alarms = [
        calibration(model, counted(votes, drawn(model, votes, seed))).is_miscalibrated
        for seed, votes in enumerate(sets)
    ]
    assert sum(alarms) <= 4


def test_parts_in_any_order_have_one_calibration():
    votes, gold = two_sided(0, 900, k=4)
    parts = [counted(votes[rows::3], gold[rows::3], 4) for rows in range(3)]
    model = model_of([0.9, 0.8, 0.7, 0.65, 0.6], 4)
    whole = calibration(model, counted(votes, gold, 4))
    assert calibration(model, parts[2] + (parts[0] + parts[1])) == whole
    assert calibration(model, parts[1] + parts[2] + parts[0]) == whole


def test_a_sample_of_patterns_says_so_and_makes_no_finding(monkeypatch):
    model, (votes, gold) = model_of([0.99] * 5, 4), two_sided(0, 3000, k=4)
    assert calibration(model, counted(votes, gold, 4)).is_miscalibrated
    monkeypatch.setattr(patterns, "MAX_PATTERNS", 100)
    found = calibration(model, counted(votes, gold, 4))
    assert found.sample_rate < 1
    assert 0 < found.num_gold < 3000
    assert found.expected_calibration_error > 0.05
    assert (found.z, found.max_z, found.is_miscalibrated) == (None, None, False)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_model_that_is_given_gold_labels_has_a_calibration(name):
    votes, gold = two_sided(0, 1000)
    counts, known = VoteCounts.from_votes(votes), counted(votes[:200], gold[:200])
    model = fit_label_model(counts, name, gold=known)
    found = model.diagnostics["calibration"]
    assert found == calibration(model, known).to_dict() | {"gold_given_to_fit": True}
    assert LabelModel.from_json(model.to_json()).diagnostics == model.diagnostics
    assert "calibration" not in fit_label_model(counts, name).diagnostics


def test_labels_too_certain_of_a_fitted_model_are_a_warning_and_change_nothing_else(caplog):
    votes, gold = dependent(0, 2000, num_copies=8, faithful=1.0)
    counts, known = VoteCounts.from_votes(votes), counted(votes, gold)
    model = fit_label_model(counts, "majority_vote", class_balance=0.5, gold=known)
    assert model.warnings[-1].startswith("the labels are over-confident: of ")
    assert model.warnings[-1] in caplog.text
    plain = fit_label_model(counts, "majority_vote", class_balance=0.5)
    assert plain.warnings == ()
    assert model.model_id == plain.model_id


def test_gold_counts_of_other_lfs_or_none_are_refused():
    model = model_of([0.8, 0.6])
    with pytest.raises(ValueError, match="gold_counts is a ndarray: expected GoldCounts, of count_gold"):
        calibration(model, GOLD)
    with pytest.raises(
        ValueError, match=r"are of \['lf_0'\] for 2 classes and the label model of \['lf_0', 'lf_1'"
    ):
        calibration(model, counted([[1]], [1]))
