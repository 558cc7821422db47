import numpy as np
import pytest
from label_matrices import dependent, two_sided

from dp_spark import VoteCounts, fit_label_model
from dp_spark.counting.agreement import clusters, informative_pairs
from dp_spark.label_model.assumptions import stated
from dp_spark.label_model.dependencies import (
    find_dependencies,
    measured,
    votes_per_opinion,
)

TEN = [0.85, 0.8, 0.8, 0.75, 0.7, 0.7, 0.65, 0.65, 0.6, 0.6]


def found_in(votes):
    counts = VoteCounts.from_votes(votes)
    return clusters(find_dependencies(counts, informative_pairs(counts)))


@pytest.mark.parametrize("seed", range(3))
def test_a_cluster_of_near_copies_is_found(seed):
    assert found_in(dependent(seed, num_copies=2)[0]) == [[4, 5, 6]]
    assert found_in(dependent(seed, num_copies=5, faithful=0.9, accuracies=TEN)[0]) == [[9, *range(10, 15)]]


def test_independent_lfs_are_rarely_called_dependent():
    seeds = range(60)
    alarms = sum(bool(found_in(two_sided(s, 3000, TEN)[0])) for s in seeds)
    assert alarms <= 8  # of 60 at a rate of 5%: more than 8 with probability 0.1%


def test_near_copies_do_not_count_as_often_as_there_are():
    votes, gold = dependent(0, num_copies=5, faithful=0.9, accuracies=TEN)
    model = fit_label_model(VoteCounts.from_votes(votes))
    own, _ = two_sided(0, accuracies=TEN, coverages=0.5)
    alone = fit_label_model(VoteCounts.from_votes(own))
    assert np.abs(model.accuracies[:10] - alone.accuracies).max() < 0.02
    assert model.diagnostics["dependent_lfs"] == [[f"lf_{i}" for i in range(9, 15)]]
    assert "'lf_9', 'lf_10', 'lf_11', 'lf_12', 'lf_13' and 1 more agree more than" in model.warnings[0]
    assert abs(log_loss(model, votes, gold) - log_loss(alone, own, gold)) < 0.02


def log_loss(model, votes, gold):
    return -np.log(model.predict_proba(votes)[np.arange(len(gold)), (gold > 0).astype(int)]).mean()


def test_of_c_copies_each_vote_counts_one_cth():
    votes, _ = two_sided(0, accuracies=[0.8, 0.7], coverages=0.5)
    counts = VoteCounts.from_votes(votes[:, [0, 0, 0, 1]])
    pairs = stated(counts, dependencies=[["lf_0", "lf_1", "lf_2"]]).dependent
    opinions = votes_per_opinion(counts, measured(counts, pairs, np.full(4, 0.5)))
    assert opinions.tolist() == pytest.approx([3, 3, 3, 1])


def test_three_lfs_are_too_few_to_tell_who_depends_on_whom():
    votes, _ = two_sided(0, accuracies=[0.8, 0.7, 0.7])
    assert found_in(votes[:, [0, 1, 1]]) == []


@pytest.mark.parametrize("seed", range(6))
def test_of_two_clusters_of_one_size_the_copies_are_named(seed):
    """Four LFs that repeat each other, and four that do not: as many pairs are unexplained whichever is the cluster."""
    votes, gold = dependent(seed)
    model = fit_label_model(VoteCounts.from_votes(votes))
    assert model.diagnostics["dependent_lfs"] == [["lf_4", "lf_5", "lf_6", "lf_7"]]
    assert np.abs(model.accuracies[:4] - [0.8, 0.75, 0.7, 0.65]).max() < 0.06
