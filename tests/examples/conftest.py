"""Majority vote and the tutorial's one-coin labels in plain NumPy, to judge labeling functions by."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.optimize import minimize

LARGEST_Q = 0.98  # keeps the log-odds of an accuracy finite


@pytest.fixture(scope="session")
def cast_votes():
    """(lfs, texts) -> (n, m) votes, without Spark."""

    def cast(lfs, texts):
        return np.array([[lf(SimpleNamespace(text=text)) or 0 for lf in lfs] for text in texts])

    return cast


@pytest.fixture(scope="session")
def judge():
    """(votes, gold) -> accuracy of the majority vote, accuracy of the labels; a tie counts half."""

    def accuracies(votes, gold):
        scores = votes.sum(axis=1), one_coin_scores(votes)
        return tuple(np.mean(0.5 * (np.sign(score) * gold + 1)) for score in scores)

    return accuracies


def one_coin_scores(votes):
    """Log-odds of y = +1: the votes, weighted by accuracies from the overlap-weighted rank-one fit of Z."""
    overlaps = np.abs(votes).T @ np.abs(votes)
    Z = (votes.T @ votes) / np.maximum(overlaps, 1)
    off_diagonal = overlaps * (1 - np.eye(len(Z)))

    def loss(q):
        residual = off_diagonal * (Z - np.outer(q, q))
        return (residual * (Z - np.outer(q, q))).sum() / len(votes), -4 * residual @ q / len(votes)

    bounds = [(-LARGEST_Q, LARGEST_Q)] * len(Z)
    q = minimize(loss, np.full(len(Z), 0.5), jac=True, bounds=bounds).x
    return votes @ np.log((1 + q) / (1 - q))
