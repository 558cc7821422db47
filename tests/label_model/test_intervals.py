"""How often 95% intervals hold the true accuracy.  Over 200 replicates; more were run by hand (docs/method.md)."""

import numpy as np
import pytest
from label_matrices import documents, one_sided, two_sided

from dp_spark import VoteCounts, fit_label_model

NUM_REPLICATES = 200


@pytest.mark.slow
@pytest.mark.parametrize("model", ["one_coin", "empirical_bayes"])
@pytest.mark.parametrize(
    ("n", "accuracies", "coverage", "k"),
    [
        (1000, [0.9, 0.8, 0.7, 0.65, 0.6], 0.5, 2),
        (3000, np.linspace(0.55, 0.85, 20), 0.25, 2),
        (3000, [0.9, 0.8, 0.7, 0.65, 0.6], 0.5, 4),
    ],
)
def test_intervals_hold_the_truth_as_often_as_they_say(model, n, accuracies, coverage, k):
    held = []
    for seed in range(NUM_REPLICATES):
        counts = VoteCounts.from_votes(two_sided(seed, n, accuracies, coverage, k)[0], num_classes=k)
        low, high = fit_label_model(counts, model).intervals.T
        held.append((low <= accuracies) & (accuracies <= high))
    assert 0.92 <= np.mean(held) <= 0.98


@pytest.mark.slow
def test_intervals_of_the_default_hold_the_truth_where_it_counts_votes_too():
    accuracies, models, held = np.array([0.9, 0.8, 0.7, 0.65, 0.6]), set(), []
    for seed in range(NUM_REPLICATES // 2):
        model = fit_label_model(VoteCounts.from_votes(two_sided(seed, 200, accuracies, 0.5)[0]))
        models.add(model.model)
        low, high = model.intervals.T
        held.append((low <= accuracies) & (accuracies <= high))
        assert ((low <= model.accuracies) & (model.accuracies <= high)).all()
    assert models == {"majority_vote", "empirical_bayes"}
    assert 0.92 <= np.mean(held) <= 0.98


def test_an_interval_shrinks_with_the_square_root_of_the_data_points():
    widths = [
        np.diff(fit_label_model(VoteCounts.from_votes(two_sided(0, n)[0]), "one_coin").intervals).mean()
        for n in (5000, 80_000)
    ]
    assert widths[0] / widths[1] == pytest.approx(4, rel=0.15)


def test_where_the_votes_say_nothing_anything_is_possible():
    model = fit_label_model(VoteCounts.from_votes(one_sided(0, m=4)[0]))
    assert model.intervals.tolist() == [[0.0, 1.0]] * 4


@pytest.mark.slow
@pytest.mark.parametrize("model", ["one_coin", "empirical_bayes"])
@pytest.mark.parametrize(
    ("matrix", "least", "most_if_ignored"), [("repeated", 0.91, 0.9), ("documents", 0.92, 0.96)]
)
def test_intervals_are_honest_where_data_points_come_in_clusters(model, matrix, least, most_if_ignored):
    accuracies = [0.9, 0.8, 0.7, 0.65, 0.6]
    held = {True: [], False: []}
    for seed in range(NUM_REPLICATES // 4):
        if matrix == "repeated":
            votes, clusters = two_sided(seed, 1000, accuracies, 0.5)[0], np.arange(1000)
            votes, clusters = np.repeat(votes, 5, axis=0), np.repeat(clusters, 5)
        else:
            votes, _, clusters = documents(seed, 5000, accuracies)
        for known in held:
            counts = VoteCounts.from_votes(votes, clusters=clusters if known else None)
            low, high = fit_label_model(counts, model).intervals.T
            held[known].append((low <= accuracies) & (accuracies <= high))
    assert least <= np.mean(held[True]) <= 0.99
    assert np.mean(held[False]) < min(np.mean(held[True]), most_if_ignored)


@pytest.mark.parametrize("model", ["one_coin", "empirical_bayes", "auto"])
def test_where_all_data_points_are_one_cluster_nothing_is_known(model):
    votes = two_sided(0, 3000, coverages=0.5)[0]
    fitted = fit_label_model(VoteCounts.from_votes(votes, clusters=np.zeros(3000, int)), model)
    assert fitted.intervals.tolist() == [[0.0, 1.0]] * 5
    assert np.isfinite(fitted.predict_proba(votes)).all()
