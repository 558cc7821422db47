import numpy as np
import pytest
from label_matrices import dependent, two_sided

from dp_spark import VoteCounts
from dp_spark.label_model.accuracies import estimate_accuracies
from dp_spark.label_model.shrinkage import overdispersion, shrink


def dispersion_of(votes):
    counts = VoteCounts.from_votes(votes)
    return overdispersion(counts, estimate_accuracies(counts))


def test_agreements_of_independent_lfs_scatter_by_chance_only():
    seeds = range(20)
    found = [dispersion_of(two_sided(s, accuracies=np.linspace(0.6, 0.9, 12))[0]) for s in seeds]
    assert np.mean(found) == pytest.approx(1.05, abs=0.1)  # the mean of max(1, χ² / 54)


def test_dependent_lfs_show_in_the_scatter():
    assert dispersion_of(dependent(0)[0]) > 5


def test_three_lfs_leave_nothing_to_check_their_accuracies():
    assert dispersion_of(two_sided(0, accuracies=[0.9, 0.8, 0.7])[0]) is None


def test_an_estimate_is_drawn_to_the_mean_by_the_share_of_chance_in_it():
    random = np.random.default_rng(0)
    q, errors = 0.4 + 0.2 * random.normal(size=2000), np.repeat([0.05, 0.4], 1000)
    shrunk = shrink(q + errors * random.normal(size=2000), errors, 0.4)
    assert shrunk.spread == pytest.approx(0.2, abs=0.01)
    trust = 0.2**2 / (0.2**2 + errors[[0, -1]] ** 2)
    assert np.abs(shrunk.errors[[0, -1]] - errors[[0, -1]] * np.sqrt(trust)).max() < 0.005
    assert np.mean((shrunk.q - q) ** 2) < 0.4 * np.mean((errors * random.normal(size=2000)) ** 2)


def test_an_estimate_that_says_nothing_becomes_the_mean():
    shrunk = shrink(np.array([0.9, 0.5, 0.1]), np.array([0.1, 0.1, np.inf]), 0.6)
    assert shrunk.q[2] == 0.6
    assert np.isfinite(shrunk.errors).all()
    assert shrink(np.zeros(2), np.full(2, np.inf), 0.6).q.tolist() == [0.6, 0.6]
