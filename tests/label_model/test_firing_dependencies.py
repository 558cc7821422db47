"""One-sided LFs that vote on the same data points more often than their class explains."""

import numpy as np
import pytest
from label_matrices import one_sided

from dp_spark import VoteCounts, fit_label_model
from dp_spark.label_model.assumptions import stated
from dp_spark.label_model.firing_dependencies import firing_dependencies


def with_copies(votes, seed, num_copies=3, faithful=0.9):
    """The votes, and LFs that fire where the last one does, mostly."""
    kept = np.random.default_rng([seed, 2]).random((len(votes), num_copies)) < faithful
    return np.concatenate([votes, np.where(kept, votes[:, -1:], 0).astype(np.int8)], axis=1)


def found(votes, k=2, **assumptions):
    counts = VoteCounts.from_votes(votes, num_classes=k)
    return firing_dependencies(counts, stated(counts, **assumptions))


@pytest.mark.parametrize("k", [2, 4])
def test_noisy_copies_of_a_one_sided_lf_are_found_and_hardly_any_other(k):
    false_alarms = 0
    for seed in range(20):
        votes, _ = one_sided(seed, 5000, m=6 * k, k=k, coverage=(0.04 / k, 0.5 / k))
        dependencies = found(with_copies(votes, seed), k)
        last = 6 * k - 1
        cluster = np.ix_(range(last, last + 4), range(last, last + 4))
        assert dependencies.pairs[cluster].sum() == 12
        assert dependencies.excess[cluster].max() > 0.85
        false_alarms += int(dependencies.pairs.sum()) // 2 - 6
    assert false_alarms <= 4


def test_lfs_of_a_rare_class_meet_often_without_being_dependent():
    """Good LFs of a class of 5% come together twenty times as often as by chance."""
    alarms = []
    for seed in range(20):
        votes, gold = one_sided(
            seed, 20_000, m=12, balance=[0.95, 0.05], precision=(0.7, 0.9), coverage=(0.01, 0.04)
        )
        positive = votes[:, 1::2]
        assert ((positive != 0).sum(axis=1) > 1).sum() > 50
        alarms.append(found(positive, class_balance=0.05).pairs.any())
        alarms.append(found(positive).pairs.any())
    assert np.mean(alarms) <= 0.3


def test_lfs_that_vote_both_ways_or_for_other_classes_are_left_to_their_agreements():
    votes, _ = one_sided(0, 5000, m=6)
    flipped = -votes[:, -1:]
    both = np.where(np.arange(5000)[:, None] % 2, votes[:, -1:], flipped)
    assert not found(np.concatenate([votes, flipped, both], axis=1)).pairs[6:].any()


def test_copies_of_a_one_sided_lf_do_not_move_the_labels_and_are_named():
    worse = []
    for seed in range(10):
        votes, gold = one_sided(seed, 5000, m=10)
        plain = fit_label_model(VoteCounts.from_votes(votes))
        copied = fit_label_model(VoteCounts.from_votes(with_copies(votes, seed)))
        named = [set(cluster) for cluster in copied.diagnostics["dependent_lfs"]]
        assert {"lf_9", "lf_10", "lf_11", "lf_12"} in named
        assert any("on the same data points more often" in warning for warning in copied.warnings)
        truth = (gold == 1).astype(int)
        losses = [
            -np.log(model.predict_proba(v)[np.arange(5000), truth]).mean()
            for model, v in ((copied, with_copies(votes, seed)), (plain, votes))
        ]
        worse.append(losses[0] - losses[1])
    assert max(worse) < 0.02


def test_repeated_rows_are_no_dependence_of_lfs_if_they_are_known_to_be():
    alarms = []
    for seed in range(20):
        votes, _ = one_sided(seed, 500, m=8, precision=(0.9, 0.95), coverage=(0.1, 0.3))
        votes, clusters = np.repeat(votes, 10, axis=0), np.repeat(np.arange(500), 10)
        counts = VoteCounts.from_votes(votes, clusters=clusters)
        alarms.append(firing_dependencies(counts, stated(counts, 0.5), design_effect=10.0).pairs.any())
    assert np.mean(alarms) <= 0.1
