"""A few gold labels beside the votes."""

import numpy as np
import pytest
from label_matrices import one_sided, two_sided

from dp_spark import VoteCounts, fit_label_model
from dp_spark.counting.gold_counts import GoldCounts

MODELS = ["auto", "empirical_bayes", "specific_vote"]


def fitted(votes, gold=None, num_gold=0, k=2, model="auto", **options):
    counts = VoteCounts.from_votes(votes, num_classes=k)
    known = None if gold is None else GoldCounts.from_votes(votes[:num_gold], gold[:num_gold], num_classes=k)
    return fit_label_model(counts, model, gold=known, **options)


def test_gold_labels_give_the_class_balance_unless_it_is_given():
    votes, gold = two_sided(0, balance=[0.9, 0.1])
    model = fitted(votes, gold, 200)
    positive = int((gold[:200] == 1).sum())
    assert model.class_balance.tolist() == pytest.approx([(201 - positive) / 202, (positive + 1) / 202])
    assert model.diagnostics["class_balance"] == "gold"
    low, high = model.diagnostics["class_balance_intervals"][1]
    assert low < model.class_balance[1] < high < low + 0.11
    assert fitted(votes, gold, 200, class_balance=0.3).diagnostics["class_balance"] == "given"
    assert fitted(votes).diagnostics["class_balance"] == "estimated"
    assert fitted(votes, model="one_coin").diagnostics["class_balance"] == "uniform"


@pytest.mark.parametrize("model", MODELS)
def test_a_gold_label_is_one_more_observation(model):
    votes, gold = one_sided(0, n=5000, m=6)
    errors = []
    for num_gold in (0, 200, 5000):
        found = fitted(votes, gold, num_gold, model=model)
        truth = [(gold[v != 0] == v[v != 0]).mean() for v in votes.T]
        errors.append(np.abs(found.accuracies - truth).mean())
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.02
    low, high = found.intervals.T
    assert ((low <= truth) & (truth <= high)).all()


def test_without_votes_on_gold_rows_an_lf_keeps_its_estimate():
    votes, gold = two_sided(0, 5000)
    votes[:100, 2] = 0
    model, plain = fitted(votes, gold, 100), fitted(votes)
    assert model.accuracies[2] == plain.accuracies[2]
    assert model.accuracies[0] != plain.accuracies[0]


@pytest.mark.parametrize("model", ["auto", "one_coin"])
def test_gold_labels_tell_an_adversarial_majority_from_a_good_one(model):
    votes, gold = two_sided(0, 5000, [0.2, 0.25, 0.3, 0.35, 0.7], 0.6)
    truth = np.array([0.2, 0.25, 0.3, 0.35, 0.7])
    mirrored = fitted(votes, model=model)
    assert np.abs(mirrored.accuracies - (1 - truth)).max() < 0.05
    assert np.abs(fitted(votes, gold, 100, model=model).accuracies - truth).max() < 0.06


def test_gold_counts_of_other_lfs_are_refused():
    votes, gold = two_sided(0, 100)
    other = GoldCounts.from_votes(votes[:, :3], gold)
    with pytest.raises(ValueError, match="Count gold on the same label matrix"):
        fit_label_model(VoteCounts.from_votes(votes), gold=other)


def test_gold_counts_where_the_votes_allow_no_fit():
    votes, gold = two_sided(0, 5000, [0.2, 0.25, 0.7], 0.6)  # three LFs leave nothing to check a fit
    model = fitted(votes, gold, 500)
    assert model.model == "specific_vote"
    assert np.abs(model.accuracies - [0.2, 0.25, 0.7]).max() < 0.06
    right = (model.predict_proba(votes)[:, 1] > 0.5) == (gold == 1)
    assert right[(votes != 0).any(axis=1)].mean() > 0.7


def test_an_array_in_the_place_of_gold_counts_is_refused_with_advice():
    votes, gold = two_sided(0, 100)
    with pytest.raises(ValueError, match="gold is a ndarray: expected GoldCounts, of count_gold"):
        fit_label_model(VoteCounts.from_votes(votes), gold=gold)
    with pytest.raises(ValueError, match="counts is a ndarray: expected VoteCounts, of count_votes"):
        fit_label_model(votes)
