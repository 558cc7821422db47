"""The class balance that LFs of one accuracy vote for."""

import numpy as np
import pytest
from label_matrices import crowd, two_sided

from dp_spark import VoteCounts, fit_label_model
from dp_spark.label_model.assumptions import stated
from dp_spark.label_model.voted_balance import with_voted_balance

TWENTY = np.linspace(0.55, 0.85, 20)


def fitted(votes, k=2, **options):
    return fit_label_model(VoteCounts.from_votes(votes, num_classes=k), "empirical_bayes", **options)


@pytest.mark.parametrize(
    ("matrix", "balance"),
    [
        (lambda seed, b: two_sided(seed, 5000, TWENTY, 0.25, balance=b), [0.8, 0.2]),
        (lambda seed, b: two_sided(seed, 20_000, balance=b), [0.95, 0.05]),
        (lambda seed, b: two_sided(seed, 5000, TWENTY, 0.25, balance=b), [0.5, 0.5]),
        (lambda seed, b: crowd(seed, 1000, balance=b), [0.8, 0.2]),
        (lambda seed, b: two_sided(seed, 5000, TWENTY, 0.25, k=4, balance=b), [0.5, 0.3, 0.15, 0.05]),
    ],
)
def test_it_is_found_where_the_lfs_agree_on_it(matrix, balance):
    held, num_found = [], 0
    for seed in range(20):
        model = fitted(matrix(seed, balance)[0], len(balance))
        if model.diagnostics["class_balance"] == "estimated":
            num_found += 1
            low, high = np.array(model.diagnostics["class_balance_intervals"]).T
            held.append((low <= balance) & (balance <= high))
            assert model.class_balance.sum() == pytest.approx(1, abs=1e-12)
    assert num_found >= 14
    assert np.mean(held) >= 0.9


def test_labels_of_unbalanced_classes_are_better_for_it():
    votes, gold = two_sided(0, 10_000, balance=[0.9, 0.1])
    right = [
        ((model.predict_proba(votes)[:, 1] > 0.5) == (gold == 1)).mean()
        for model in (fitted(votes), fitted(votes, class_balance=0.5))
    ]
    assert right[0] > right[1] + 0.05


def test_lfs_that_prefer_classes_of_their_own_tell_no_balance():
    """Each LF keeps back half of its votes for one class or the other."""
    votes, _ = two_sided(0, 5000, TWENTY, 0.4)
    random, prefers = np.random.default_rng(0), np.where(np.arange(20) % 2, 1, -1)
    votes[(votes == -prefers) & (random.random(votes.shape) < 0.5)] = 0
    model = fitted(votes)
    assert model.diagnostics["class_balance"] == "uniform"
    assert model.class_balance.tolist() == [0.5, 0.5]


def test_what_is_given_stays():
    votes, _ = two_sided(0, 5000, balance=[0.8, 0.2])
    model = fitted(votes, class_balance=0.4)
    assert model.diagnostics["class_balance"] == "given"
    assert model.class_balance.tolist() == pytest.approx([0.6, 0.4])


def test_two_lfs_that_agree_on_a_balance_are_not_enough():
    votes, _ = two_sided(0, 20_000, [0.9, 0.8, 0.8], 0.9, balance=[0.8, 0.2])
    counts, q, errors = VoteCounts.from_votes(votes), np.array([0.8, 0.6, 0.6]), np.full(3, 0.02)
    assert with_voted_balance(counts, stated(counts), q, errors, 1.0).balance_source == "estimated"
    errors[2] = np.inf
    assert with_voted_balance(counts, stated(counts), q, errors, 1.0).balance_source == "uniform"


@pytest.mark.parametrize("positive", [0.98, 0.995, 1.0])
def test_a_class_that_is_rare_or_not_there_is_found_to_be(positive):
    held = []
    for seed in range(10):
        votes, _ = two_sided(seed, 3000, np.linspace(0.65, 0.85, 8), 0.5, balance=[1 - positive, positive])
        model = fitted(votes)
        low, high = model.diagnostics["class_balance_intervals"][1]
        held.append(low <= positive <= high + 1e-3)
        assert model.class_balance[1] == pytest.approx(positive, abs=0.03)
    assert np.mean(held) >= 0.8
