"""The tutorial in plain NumPy and SciPy, written from its text: what every stage must agree with."""

import numpy as np
from scipy.optimize import minimize


def tutorial_votes(seed, n=10_000, m=20, coverage=0.25, low=0.45, high=0.75, positive_share=0.5):
    """Votes (n, m), truth (n,) and LF accuracies (m,) of the tutorial's step 1.ii."""
    random = np.random.default_rng(seed)
    gold = np.where(random.random(n) < positive_share, 1, -1)
    accuracies = low + (high - low) * random.random(m)
    right = np.where(random.random((n, m)) < accuracies, gold[:, None], -gold[:, None])
    return np.where(random.random((n, m)) < coverage, right, 0).astype(np.int8), gold, accuracies


def random_votes(n, m, k=2, seed=0, coverage=0.4):
    """Votes (n, m) of LFs that know nothing, int8."""
    random = np.random.default_rng(seed)
    classes = np.array([-1, 1] if k == 2 else range(1, k + 1))
    return (random.choice(classes, (n, m)) * (random.random((n, m)) < coverage)).astype(np.int8)


def agreement(votes):
    """Z = LᵀL / |L|ᵀ|L| and |L|ᵀ|L|, as the tutorial's code has it."""
    L = votes.astype(np.int64)
    overlaps = np.abs(L).T @ np.abs(L)
    with np.errstate(invalid="ignore"):
        return L.T @ L / overlaps, overlaps


def weighted_loss(q, Z, weights):
    """Σ_{i<j} w_ij (Z_ij - q_i q_j)²."""
    return sum(
        weights[i, j] * (Z[i, j] - q[i] * q[j]) ** 2 for i in range(len(q)) for j in range(i) if weights[i, j]
    )


def fitted_q(votes):
    """The minimiser of the overlap-weighted loss within [-1, 1], by an independent solver."""
    Z, overlaps = agreement(votes)
    w = np.where(np.eye(len(Z), dtype=bool), 0, overlaps) / overlaps.max()
    z = np.nan_to_num(Z)

    def loss(q):
        residual = w * (z - np.outer(q, q))
        return (residual * (z - np.outer(q, q))).sum() / 2, -2 * residual @ q

    start = np.full(len(Z), 0.3)
    options = {"ftol": 1e-16, "gtol": 1e-12, "maxiter": 5000, "maxfun": 50_000}
    q = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(-1, 1)] * len(Z), options=options).x
    return q if np.abs(votes).sum(axis=0) @ q > 0 else -q


def labels(votes, accuracies, positive_share=0.5):
    """σ(b + wᵀλ)."""
    weights = np.log(accuracies / (1 - accuracies))
    return 1 / (1 + np.exp(-(np.log(positive_share / (1 - positive_share)) + votes @ weights)))


def accuracy(scores, gold):
    """The tutorial's: ties count half."""
    return np.mean(0.5 * (np.sign(scores) * gold + 1))
