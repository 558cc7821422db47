import numpy as np
import pytest
from reference import agreement, fitted_q, tutorial_votes, weighted_loss

from dp_spark.errors import DivergedError
from dp_spark.label_model.completion import complete_rank_one, gradient_descent


def problem(seed, **settings):
    votes, _, _ = tutorial_votes(seed, **settings)
    Z, overlaps = agreement(votes)
    return votes, np.nan_to_num(Z), np.where(np.eye(len(Z), dtype=bool), 0, overlaps).astype(float)


@pytest.mark.parametrize("seed", range(5))
def test_the_completion_reaches_the_optimum_of_an_independent_solver(seed):
    votes, Z, weights = problem(seed)
    end = complete_rank_one(Z, weights)
    q = fitted_q(votes)
    assert end.status == "converged"
    assert end.loss == pytest.approx(weighted_loss(q, Z, weights), rel=1e-9)
    assert np.abs(end.q * np.sign(end.q.sum()) - q).max() < 1e-6


@pytest.mark.parametrize("coverage", [0.003, 0.02, 0.5])
def test_it_does_so_with_few_overlaps_and_perfect_lfs_too(coverage):
    votes, Z, weights = problem(7, n=4000, m=15, coverage=coverage, low=0.6, high=1.0)
    end = complete_rank_one(Z, weights)
    assert end.status == "converged"
    assert end.loss <= weighted_loss(fitted_q(votes), Z, weights) * (1 + 1e-9) + 1e-12
    assert np.abs(end.q).max() <= 1


def test_an_exact_rank_one_matrix_is_completed_exactly():
    q = np.array([0.9, -0.4, 0.5, 0.1])
    end = complete_rank_one(np.outer(q, q), np.ones((4, 4)))
    assert np.abs(end.q * np.sign(end.q[0]) - q).max() < 1e-6


def test_pairs_without_weight_have_no_say():
    q = np.array([0.9, 0.4, 0.5, 0.3])
    Z, weights = np.outer(q, q), np.ones((4, 4))
    Z[0, 1] = Z[1, 0] = -1.0
    weights[0, 1] = weights[1, 0] = 0
    assert np.abs(np.abs(complete_rank_one(Z, weights).q) - q).max() < 1e-6


def test_the_diagonal_has_no_say():
    q = np.array([0.9, 0.4, 0.5])
    Z = np.outer(q, q)
    np.fill_diagonal(Z, 1)
    assert np.abs(np.abs(complete_rank_one(Z, np.ones((3, 3))).q) - q).max() < 1e-6


def test_a_fit_that_is_stopped_early_says_so():
    _, Z, weights = problem(0)
    assert complete_rank_one(Z, weights, max_steps=1).status == "reached max_steps"


def test_gradient_descent_comes_near_the_unweighted_optimum():
    _, Z, weights = problem(1)
    descent = gradient_descent(Z, weights > 0, seed=0)
    optimum = complete_rank_one(Z, (weights > 0).astype(float))
    assert descent.num_steps == 5000
    assert np.abs(np.abs(descent.q) - np.abs(optimum.q)).max() < 1e-2


def test_gradient_descent_that_diverges_is_an_error_with_advice():
    q = np.full(300, 0.9)
    with pytest.raises(DivergedError, match="m=300.*learning_rate=0.05.*Lower the rate"):
        gradient_descent(np.outer(q, q), np.ones((300, 300), dtype=bool), seed=0, learning_rate=0.05)


def test_nothing_to_fit_is_refused():
    with pytest.raises(ValueError, match="no pair of labeling functions has a positive weight"):
        complete_rank_one(np.eye(3), np.eye(3))
    with pytest.raises(ValueError, match=r"Z has shape \(2, 3\)"):
        complete_rank_one(np.zeros((2, 3)), np.zeros((2, 3)))


def test_a_problem_that_was_just_solved_is_known_and_another_one_is_not_taken_for_it():
    _, Z, weights = problem(0)
    end = complete_rank_one(Z, weights)
    assert complete_rank_one(Z.copy(), weights.copy()) is end
    other = complete_rank_one(-Z, weights)
    assert not np.array_equal(other.q, end.q)
    with pytest.raises(ValueError, match="read-only"):
        end.q[0] = 0
