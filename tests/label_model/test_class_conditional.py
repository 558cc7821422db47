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
    model = fitted(votes)
    row = np.zeros((1, 8), dtype=np.int8)
    row[0, 0] = 1
    assert model.predict_proba(row)[0] == pytest.approx(model.class_balance)


def test_gold_labels_tell_mirror_images_apart():
    votes, gold = two_sided(0, 5000, [0.2, 0.25, 0.3, 0.35, 0.7], 0.6)
    known = GoldCounts.from_votes(votes[:300], gold[:300])
    right = (fitted(votes, gold=known).predict_proba(votes)[:, 1] > 0.5) == (gold == 1)
    assert right.mean() > 0.75
