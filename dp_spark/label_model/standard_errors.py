"""How far off fitted accuracies may be: standard errors of q, from the vote counts alone."""

import numpy as np

from dp_spark.counting.agreement import Mask, agreement_matrix
from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.label_model.model import Vector
from dp_spark.label_model.scatter import Scores, design_effect, regularised_inverse, scatter
from dp_spark.labeling.votes import Votes, classes_of


def standard_errors(counts: VoteCounts, pairs: Mask, q: Vector) -> tuple[Vector, float]:
    """Standard errors of q, and how many data points count as one independent one.

    The sandwich B⁻¹ M B⁻¹ of M-estimation (`scatter`): B the Gauss-Newton information of the weighted loss, M the
    scatter of its gradient. It does not take the pairs as independent, which share data points, nor the model as true.
    Few votes that happen to fit leave no scatter: an error is at least what it would be if the pairs were independent.

    Returns:
        (m,) errors, infinite for LFs without informative pairs; the design effect, 1 unless clusters are known.
    """
    weights = np.where(pairs, counts.overlaps, 0).astype(np.float64)
    information = _information(weights, q)
    errors = np.full(counts.num_lfs, np.inf)
    known = np.flatnonzero(np.diag(information) > 0)
    if not len(known):
        return errors, 1.0
    clustered, independent = scatter(counts, _gradients(counts.num_classes, pairs, q), counts.num_lfs)
    if np.isinf(clustered).any():  # all data points are one cluster
        return errors, 1.0
    block = np.ix_(known, known)
    inverse = regularised_inverse(information[block])
    sandwich = inverse @ clustered[block] @ inverse
    of_pairs = regularised_inverse(_information(agreement_weights(counts, pairs, q), q)[block])
    errors[known] = np.sqrt(np.maximum(np.diag(sandwich), np.diag(of_pairs)))
    return errors, design_effect(clustered[block], independent[block])


def _information(weights: Vector, q: Vector) -> Vector:
    """Jᵀ W J of the residuals Z_ij - q_i q_j, i < j: (m, m)."""
    information = weights * q[:, None] * q[None, :]
    np.fill_diagonal(information, weights @ q**2)
    return information


def _gradients(k: int, pairs: Mask, q: Vector) -> Scores:
    """Of a data point: g_i = Σ_j (z_ij - q_i q_j) q_j over the other LFs that vote there, if LF i does.

    z_ij is (k [they agree] - 1) / (k - 1).
    """
    by_q, by_square = (pairs * q).T, (pairs * q**2).T

    def gradients(votes: Votes) -> Vector:
        voted = (votes != 0).astype(np.float64)
        of_class = [(votes == c).astype(np.float64) for c in classes_of(k)]
        agreeing = np.sum([cast * (cast @ by_q) for cast in of_class], axis=0)
        return np.asarray(voted * ((k * agreeing - voted @ by_q) / (k - 1) - q * (voted @ by_square)))

    return gradients


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
