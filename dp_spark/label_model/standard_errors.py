"""How far off fitted accuracies may be: standard errors of q, from the vote counts alone."""

import numpy as np

from dp_spark.counting.agreement import Mask, agreement_matrix
from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.label_model.model import Vector
from dp_spark.labeling.votes import classes_of

PATTERNS_PER_BLOCK = 1 << 13  # of 1,000 LFs 64 MiB per array
SINGULAR = 1e-9  # added to the diagonal of the information matrix, whose mean is 1, before inverting it


def standard_errors(counts: VoteCounts, pairs: Mask, q: Vector) -> Vector:
    """Standard errors of q: (m,), infinite for LFs without informative pairs.

    The sandwich B⁻¹ M B⁻¹ of M-estimation (Huber 1967; White 1982): B the Gauss-Newton information of the
    weighted loss, M the sum over data points of the products of their gradients, from the pattern counts. It
    does not take the pairs as independent, which share data points, nor the model as true. Few votes that
    happen to fit leave no scatter: an error is at least what it would be if the pairs were independent.
    """
    weights = np.where(pairs, counts.overlaps, 0).astype(np.float64)
    information = _information(weights, q)
    errors = np.full(counts.num_lfs, np.inf)
    known = np.flatnonzero(np.diag(information) > 0)
    if len(known):
        block = np.ix_(known, known)
        inverse = _inverse(information[block])
        sandwich = inverse @ _gradient_products(counts, pairs, q)[block] @ inverse
        independent = _inverse(_information(agreement_weights(counts, pairs, q), q)[block])
        errors[known] = np.sqrt(np.maximum(np.diag(sandwich), np.diag(independent)))
    return errors


def _information(weights: Vector, q: Vector) -> Vector:
    """Jᵀ W J of the residuals Z_ij - q_i q_j, i < j: (m, m)."""
    information = weights * q[:, None] * q[None, :]
    np.fill_diagonal(information, weights @ q**2)
    return information


def _inverse(information: Vector) -> Vector:
    scale = float(np.diag(information).mean())
    return np.asarray(np.linalg.inv(information / scale + SINGULAR * np.eye(len(information))) / scale)


def _gradient_products(counts: VoteCounts, pairs: Mask, q: Vector) -> Vector:
    """Σ over data points of g gᵀ: (m, m), with g_i = Σ_j (z_ij - q_i q_j) q_j over the others that vote there.

    z_ij is (k [they agree] - 1) / (k - 1). Of sampled patterns, the sum is scaled up.
    """
    k, total = counts.num_classes, np.zeros((counts.num_lfs, counts.num_lfs))
    by_q, by_square = (pairs * q).T, (pairs * q**2).T
    for first in range(0, len(counts.patterns.counts), PATTERNS_PER_BLOCK):
        block = slice(first, first + PATTERNS_PER_BLOCK)
        votes = counts.patterns.votes[block]
        voted = (votes != 0).astype(np.float64)
        of_class = [(votes == c).astype(np.float64) for c in classes_of(k)]
        agreeing = np.sum([cast * (cast @ by_q) for cast in of_class], axis=0)
        gradients = voted * ((k * agreeing - voted @ by_q) / (k - 1) - q * (voted @ by_square))
        total += (gradients * counts.patterns.counts[block, None]).T @ gradients
    return total / counts.patterns.sample_rate


def expected_agreement(counts: VoteCounts, q: Vector) -> Vector:
    """P(agree | both vote) = ((k - 1) q_i q_j + 1) / k: (m, m); no closer to 0 and 1 than N votes can show."""
    k, least = counts.num_classes, 1 / (counts.overlaps + 2)
    return np.asarray(np.clip(((k - 1) * np.outer(q, q) + 1) / k, least, 1 - least))


def agreement_scores(counts: VoteCounts, pairs: Mask, q: Vector) -> Vector:
    """(Z_ij - q_i q_j) in standard deviations of Z: (m, m); 0 for other pairs."""
    residuals = agreement_matrix(counts)[0] - np.outer(q, q)
    return np.asarray(residuals * np.sqrt(agreement_weights(counts, pairs, q)))


def agreement_weights(counts: VoteCounts, pairs: Mask, q: Vector) -> Vector:
    """1 / Var(Z) = N (k - 1)² / (k² a (1 - a)) with a = P(agree): (m, m); 0 for other pairs."""
    k, a = counts.num_classes, expected_agreement(counts, q)
    variance = (k / (k - 1)) ** 2 * a * (1 - a)
    return np.asarray(np.where(pairs, counts.overlaps / variance, 0.0))
