from dataclasses import replace

import numpy as np
import pytest
from label_matrices import one_sided, two_sided

from dp_spark import LabelModel, VoteCounts, fit_label_model
from dp_spark.counting.gold_counts import GoldCounts


def fitted(votes, k=2, **options):
    return fit_label_model(VoteCounts.from_votes(votes, num_classes=k), "class_conditional", **options)


def true_rates(votes, gold):
    """P(LF i votes a | y = c): (m, 2, 2), [i, a, c]."""
    return np.array([[[(v[gold == c] == a).mean() for c in (-1, 1)] for a in (-1, 1)] for v in votes.T])


@pytest.mark.parametrize("positive", [0.5, 0.3, 0.1])
def test_one_sided_lfs_are_seen_through_without_gold(positive):
    votes, gold = one_sided(0, 50_000, m=8, balance=[1 - positive, positive], coverage=(0.05, 0.3))
    model = fitted(votes)
    assert model.diagnostics["class_balance"] == "estimated"
    assert model.class_balance[1] == pytest.approx(positive, abs=0.06)
    low, high = model.diagnostics["class_balance_intervals"][1]
    assert low < positive < high < low + 0.2
    assert np.abs(np.exp(model.log_likelihoods) - true_rates(votes, gold)).max() < 0.03
    truth = [(gold[v != 0] == v[v != 0]).mean() for v in votes.T]
    assert np.abs(model.accuracies - truth).max() < 0.1


def test_two_sided_lfs_of_different_quality_per_class():
    votes, gold = two_sided(0, 50_000, balance=[0.7, 0.3])
    votes[(votes == 1) & (gold[:, None] == -1) & (np.arange(5) < 2)] = (
        0  # two LFs abstain instead of erring on -
    )
    model = fitted(votes)
    assert np.abs(np.exp(model.log_likelihoods) - true_rates(votes, gold)).max() < 0.03


def test_a_balance_that_the_votes_do_not_identify_is_taken_as_equal():
    model = fitted(one_sided(0, 60, m=4)[0])
    assert model.diagnostics["class_balance"] == "uniform"
    assert model.class_balance.tolist() == [0.5, 0.5]
    assert model.diagnostics["class_balance_intervals"] == [[0.0, 1.0]] * 2
    assert fitted(one_sided(0, 60, m=4)[0], class_balance=0.2).class_balance.tolist() == [0.8, 0.2]


def test_flipping_all_votes_flips_the_labels():
    votes, _ = one_sided(0, 20_000, m=8)
    probs, flipped = fitted(votes).predict_proba(votes), fitted(-votes).predict_proba(-votes)
    assert np.abs(probs - flipped[:, ::-1]).max() < 1e-6


def test_what_it_cannot_do_is_refused_with_advice():
    with pytest.raises(
        ValueError, match="there are 3 classes: model='class_conditional' is for two. Use 'auto'"
    ):
        fitted(two_sided(0, 100, k=3)[0], 3)
    with pytest.raises(ValueError, match="2 labeling functions vote: .* needs at least 3. Use 'auto'"):
        fitted(two_sided(0, 100, [0.8, 0.7])[0])


@pytest.mark.parametrize("votes", [[[1, -1, 1]], [[1, 1, 1]] * 5, [[1, -1, 1], [-1, 1, -1]], np.eye(3)])
def test_labels_of_next_to_nothing_are_finite(votes):
    votes = np.array(votes, dtype=np.int8)
    model = fitted(votes)
    assert np.isfinite(model.predict_proba(votes)).all()
    assert LabelModel.from_json(model.to_json()).to_json() == model.to_json()


def test_a_vote_that_was_never_cast_says_nothing():
    votes, _ = one_sided(0, 20_000, m=8, balance=[0.9, 0.1])  # the first LF only votes -1
    never, cast = fitted(votes).log_likelihoods[0, [1, 0]]
    assert never[0] == never[1]
    assert abs(cast[0] - cast[1]) > 0.5


@pytest.mark.parametrize("positive", [0.5, 0.2])
def test_silence_counts_where_firing_is_independent_given_the_class(positive):
    votes, gold = one_sided(0, 20_000, m=10, balance=[1 - positive, positive], coverage=(0.1, 0.4))
    model = fitted(votes)
    found = model.diagnostics["abstaining"]
    assert found["informs"]
    assert 0.2 < found["firing_misfit"] < 1.5
    without = replace(model, abstain_log_likelihoods=None)
    assert log_loss(model, votes, gold) < log_loss(without, votes, gold) - 0.005
    assert model.model_id != without.model_id
    assert LabelModel.from_json(model.to_json()).to_json() == model.to_json()


def test_silence_says_nothing_where_some_data_points_trigger_many_lfs():
    votes, _ = one_sided(0, 20_000, m=10, coverage=(0.1, 0.4))
    is_short = np.random.default_rng(0).random(len(votes)) < 0.3
    votes[is_short] = 0  # no LF finds anything in a short text
    model = fitted(votes)
    assert model.abstain_log_likelihoods is None
    assert model.diagnostics["abstaining"]["why"].startswith("labeling functions vote together more")
    assert model.predict_proba(np.zeros((1, 10), np.int8))[0] == pytest.approx(model.class_balance)


def test_silence_of_lfs_that_fire_alike_on_both_classes_says_nothing():
    alarms = [fitted(two_sided(seed, 3000)[0]).abstain_log_likelihoods is not None for seed in range(40)]
    assert np.mean(alarms) <= 0.15


def test_the_terms_of_silent_lfs_are_explained_too():
    votes, _ = one_sided(0, 20_000, m=10, balance=[0.8, 0.2], coverage=(0.1, 0.4))
    model = fitted(votes)
    for row in votes[:20]:
        explanation = model.explain(row)
        assert explanation.probabilities == pytest.approx(model.predict_proba(row[None])[0], abs=1e-12)
        positive, odds = explanation.probabilities[1], explanation.log_odds(1, -1)
        assert odds.total == pytest.approx(np.log(positive / (1 - positive)), abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(("matrix", "balance"), [("two_sided", 0.5), ("one_sided", 0.5), ("one_sided", 0.2)])
def test_intervals_hold_the_truth_as_often_as_they_say(matrix, balance):
    held, balance_held = [], []
    for seed in range(100):
        if matrix == "two_sided":
            votes, truth = two_sided(seed, 2000, coverages=0.5)[0], np.array([0.9, 0.8, 0.7, 0.65, 0.6])
        else:
            votes, truth = detectors(seed, 5000, balance)
        model = fitted(votes)
        low, high = model.intervals.T
        held.append((low <= truth) & (truth <= high))
        if model.diagnostics["class_balance"] == "estimated":
            low, high = model.diagnostics["class_balance_intervals"][1]
            balance_held.append(low <= balance <= high)
    assert 0.92 <= np.mean(held) <= 0.98
    assert len(balance_held) > 50
    assert np.mean(balance_held) >= 0.88


def test_a_sample_of_the_patterns_tells_no_balance(monkeypatch):
    votes, _ = detectors(0, 20_000, 0.2)
    assert fitted(votes).diagnostics["class_balance"] == "estimated"
    monkeypatch.setattr("dp_spark.counting.patterns.MAX_PATTERNS", 50)
    assert fitted(votes).diagnostics["class_balance"] == "uniform"


def test_rates_given_the_common_class_are_not_cut_off_at_what_the_rare_one_can_show():
    random, n = np.random.default_rng(0), 20_000
    gold = np.where(random.random(n) < 0.01, 1, -1)
    fires = random.random((n, 8)) < np.where(gold == 1, 0.6, 0.002)[:, None]
    model = fitted(fires.astype(np.int8), class_balance=0.01)
    assert np.exp(model.log_likelihoods[:, 1, 0]).mean() == pytest.approx(0.002, abs=0.0004)
    assert not model.diagnostics["independence_rejected"]
    assert model.diagnostics["abstaining"]["informs"]


def detectors(seed, n, positive):
    """Eight one-sided LFs and their precisions, the same for every seed."""
    random = np.random.default_rng(seed)
    gold = np.where(random.random(n) < positive, 1, -1)
    votes, precisions = np.zeros((n, 8), np.int8), 0.55 + 0.05 * np.arange(8)
    for i, p in enumerate(precisions):
        own, share = (1, positive) if i % 2 else (-1, 1 - positive)
        coverage = min(0.45 - 0.05 * i, 0.9 * share / p)
        right, wrong = p * coverage / share, (1 - p) * coverage / (1 - share)
        votes[random.random(n) < np.where(gold == own, right, wrong), i] = own
    return votes, precisions


def log_loss(model, votes, gold):
    return -np.log(model.predict_proba(votes)[np.arange(len(gold)), (gold == 1).astype(int)]).mean()


def test_gold_labels_tell_mirror_images_apart():
    votes, gold = two_sided(0, 5000, [0.2, 0.25, 0.3, 0.35, 0.7], 0.6)
    known = GoldCounts.from_votes(votes[:300], gold[:300])
    right = (fitted(votes, gold=known).predict_proba(votes)[:, 1] > 0.5) == (gold == 1)
    assert right.mean() > 0.75
