import numpy as np
import pytest
from label_matrices import one_sided, two_sided

from dp_spark import VoteCounts
from dp_spark.counting.agreement import informative_pairs
from dp_spark.label_model.priors import DEFAULT_ACCURACY, pooled_accuracy, specific_accuracies


def counts_of(votes, k=2):
    return VoteCounts.from_votes(np.array(votes, dtype=np.int8), num_classes=k)


@pytest.mark.parametrize(("accuracy", "k"), [(0.8, 2), (0.6, 2), (0.7, 5)])
def test_the_accuracy_that_all_lfs_share_is_recovered(accuracy, k):
    counts = counts_of(two_sided(0, 20_000, [accuracy] * 4, 0.5, k)[0], k)
    assert pooled_accuracy(counts, informative_pairs(counts)) == pytest.approx(accuracy, abs=0.02)


def test_without_agreements_an_lf_has_the_default_accuracy():
    counts = counts_of([[1, -1], [1, 0]])
    assert pooled_accuracy(counts, informative_pairs(counts)) == pytest.approx(DEFAULT_ACCURACY)


def test_lfs_that_disagree_more_than_by_chance_still_count_as_better_than_chance():
    counts = counts_of([[1, -1], [-1, 1]] * 50)
    assert pooled_accuracy(counts, informative_pairs(counts)) == pytest.approx(0.55)


def test_the_odds_of_a_one_sided_lf_fall_with_the_square_root_of_its_coverage():
    votes = np.zeros((900, 2), dtype=np.int8)
    votes[:800, 0], votes[700:900, 1] = 1, -1
    p = specific_accuracies(counts_of(votes))
    odds = p / (1 - p)
    assert odds[1] / odds[0] == pytest.approx(2.0)


def test_an_lf_that_votes_both_ways_has_the_mean_whatever_it_covers():
    both, _ = two_sided(0, 500, [0.8, 0.7], 0.5)
    one, _ = one_sided(0, 500, m=2)
    p = specific_accuracies(counts_of(np.concatenate([both, one], axis=1)), 0.65)
    assert p[:2].tolist() == [0.65, 0.65]


def test_an_lf_with_few_votes_is_not_certain_however_specific():
    votes = np.zeros((100_000, 2), dtype=np.int8)
    votes[:, 0], votes[0, 1] = 1, -1
    assert specific_accuracies(counts_of(votes)).tolist()[1] == pytest.approx(2 / 3)
