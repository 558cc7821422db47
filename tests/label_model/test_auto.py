import json

import numpy as np
import pytest
from label_matrices import crowd, dependent, one_sided, two_sided

from dp_spark import VoteCounts, fit_label_model
from dp_spark.labeling.votes import classes_of


def fitted(votes, k=2, **options):
    return fit_label_model(VoteCounts.from_votes(votes, num_classes=k), **options)


def accuracies(votes, gold, k=2):
    """Of the labels of `auto`, and of the majority vote, on rows with votes; ties share the credit."""
    covered = (votes != 0).any(axis=1)
    votes, gold = votes[covered], np.searchsorted(classes_of(k), gold[covered])
    plain = np.stack([(votes == c).sum(axis=1) for c in classes_of(k)], axis=1)
    found = []
    for scores in (fitted(votes, k).predict_proba(votes), plain):
        top = scores >= scores.max(axis=1, keepdims=True) - 1e-9
        found.append((top[np.arange(len(gold)), gold] / top.sum(axis=1)).mean())
    return found


CASES = {
    "two-sided": (lambda s: two_sided(s), 2, 0.03),
    "unbalanced": (lambda s: two_sided(s, balance=[0.9, 0.1]), 2, 0.03),
    "five classes": (lambda s: two_sided(s, k=5), 5, 0.03),
    "one-sided": (lambda s: one_sided(s), 2, 0.0),
    "one-sided, many": (lambda s: one_sided(s, m=40, coverage=(0.002, 0.3)), 2, 0.01),
    "crowd": (lambda s: crowd(s), 2, 0.02),
    "sparse crowd": (lambda s: crowd(s, votes_per_row=3, num_workers=200), 2, 0.0),
    "crowd, unbalanced": (lambda s: crowd(s, balance=[0.88, 0.12]), 2, 0.02),
    "hard data points": (lambda s: crowd(s, votes_per_row=15, difficulty=0.3), 2, 0.005),
    "dependent": (lambda s: dependent(s, num_copies=2), 2, 0.05),
}


@pytest.mark.parametrize("name", CASES)
def test_labels_are_better_than_a_majority_vote(name):
    make, k, least_gain = CASES[name]
    scores = np.array([accuracies(*make(seed), k) for seed in range(4)])
    assert (scores[:, 0] - scores[:, 1]).mean() >= least_gain
    assert (scores[:, 0] - scores[:, 1]).min() >= -0.01


def test_it_says_what_it_took_and_why():
    model = fitted(two_sided(0)[0])
    choice = model.diagnostics["choice"]
    assert (model.model, choice["model"]) == ("empirical_bayes", "empirical_bayes")
    assert choice["why"] == "fitted accuracies predict held-out votes better"
    assert choice["held_out_gain_standard_errors"] > 5
    one = fitted(one_sided(0)[0])
    assert one.model == "specific_vote"
    assert one.diagnostics["choice"]["why"] == "no accuracy is determined by the votes"
    assert "share no data point with another labeling function in a way" in one.warnings[0]
    three = fitted(two_sided(0, accuracies=[0.9, 0.8, 0.7])[0])
    assert three.model == "majority_vote"
    assert three.diagnostics["choice"]["why"].startswith("too few pairs of labeling functions overlap")


def test_lfs_that_are_all_alike_keep_the_majority_vote():
    model = fitted(two_sided(0, 400, [0.7] * 5, 0.3)[0])
    assert model.model == "majority_vote"
    assert "do not predict held-out votes clearly better" in model.diagnostics["choice"]["why"]


def test_accuracies_are_as_good_as_a_plain_fit_where_the_model_holds():
    errors = []
    for seed in range(8):
        p = np.random.default_rng(seed).uniform(0.5, 0.85, 20)
        votes, _ = two_sided(seed, 5000, p, 0.25)
        errors.append([np.abs(fitted(votes, model=m).accuracies - p).mean() for m in ("auto", "one_coin")])
    ours, plain = np.mean(errors, axis=0)
    assert ours <= plain * 1.02


def test_the_model_does_not_depend_on_how_the_rows_lie():
    votes, _ = crowd(0)
    again = votes[np.random.default_rng(0).permutation(len(votes))]
    assert fitted(votes).to_json() == fitted(again).to_json()


def test_no_label_matrix_gives_a_number_that_is_not_finite():
    random = np.random.default_rng(0)
    for _ in range(400):
        n, m, k = random.integers(1, 30), random.integers(1, 9), random.integers(2, 5)
        classes = [-1, 1] if k == 2 else range(1, k + 1)
        rate = random.random()
        votes = np.where(random.random((n, m)) < rate, random.choice(classes, (n, m)), 0).astype(np.int8)
        if random.random() < 0.3:
            votes[:, :] = votes[:, :1]  # all the same
        model = fitted(votes, int(k))
        probs = model.predict_proba(votes)
        assert np.isfinite(probs).all()
        assert np.allclose(probs.sum(axis=1), 1)
        assert json.loads(model.to_json())["model"] == model.model


@pytest.mark.parametrize("positive", [0.5, 0.2])
def test_one_sided_lfs_that_are_independent_given_the_class_are_seen_through(positive):
    votes, gold = one_sided(
        1, 30_000, 10, balance=[1 - positive, positive], precision=(0.85, 0.95), coverage=(0.05, 0.2)
    )
    counts = VoteCounts.from_votes(votes)
    model = fit_label_model(counts)
    assert model.model == "class_conditional"
    assert model.diagnostics["choice"]["why"].startswith("independence given the class explains")
    truth = (gold == 1).astype(int)
    losses = [
        -np.log(m.predict_proba(votes)[np.arange(len(truth)), truth]).mean()
        for m in (model, fit_label_model(counts, "specific_vote"))
    ]
    assert losses[0] < losses[1] - 0.01


def test_one_sided_lfs_that_are_not_independent_given_the_class_are_counted():
    votes, _ = one_sided(1, 20_000, m=10, coverage=(0.05, 0.3))
    votes[np.random.default_rng(0).random(len(votes)) < 0.3] = 0  # no LF finds anything in a short text
    assert fit_label_model(VoteCounts.from_votes(votes)).model != "class_conditional"


def test_crowds_in_which_few_workers_meet_are_not_taken_as_independent():
    for seed in range(3):
        model = fit_label_model(VoteCounts.from_votes(crowd(seed, 1000, balance=[0.8, 0.2])[0]))
        assert model.model != "class_conditional"


@pytest.mark.parametrize(
    "options", [{"prior_accuracies": {"lf_0": 0.9}}, {"dependencies": [["lf_0", "lf_1"]]}]
)
def test_what_the_user_says_of_lfs_is_used_rather_than_a_model_that_cannot(options):
    votes, _ = one_sided(1, 20_000, m=10, coverage=(0.05, 0.3))
    assert fit_label_model(VoteCounts.from_votes(votes), **options).model != "class_conditional"
