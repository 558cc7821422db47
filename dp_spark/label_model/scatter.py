"""How much sums over data points scatter: what standard errors of everything that is fitted come from.

If θ solves Σ g(data point, θ) = 0, then Cov(θ) = B⁻¹ M B⁻ᵀ with M = Cov(Σ g) (the sandwich: Huber 1967; White 1982).
Where data points are independent, M = Σ g gᵀ, from the pattern counts. Where they come in clusters, the sums over
blocks of whole clusters are independent instead, and M is their scatter: the infinitesimal form of the jackknife
that leaves out one block at a time (Efron 1982).
"""

from collections.abc import Callable

import numpy as np

from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.label_model.intervals import INTERVAL_ERRORS
from dp_spark.label_model.model import Vector
from dp_spark.labeling.votes import Votes

PATTERNS_PER_BLOCK = 1 << 12  # of 1,000 LFs 32 MiB per array
SINGULAR = 1e-9  # added to the diagonal of an information matrix, whose mean is 1, before inverting it

Scores = Callable[[Votes], Vector]


def scatter(counts: VoteCounts, scores: Scores, size: int) -> tuple[Vector, Vector]:
    """M = Cov(Σ g), clusters taken into account, and as if all data points were independent: two (size, size).

    Of sampled patterns the sums are scaled up; of clusters, only data points with equal votes are then seen together.

    Args:
        counts: of the label matrix.
        scores: g of each of (rows, m) vote vectors: (rows, size).
        size: of g.
    """
    patterns = counts.patterns
    independent = np.zeros((size, size))
    sums = np.zeros((0 if patterns.block_counts is None else patterns.block_counts.shape[1], size))
    for first in range(0, len(patterns.counts), PATTERNS_PER_BLOCK):
        part = slice(first, first + PATTERNS_PER_BLOCK)
        g = scores(patterns.votes[part])
        independent += (g * patterns.counts[part, None]).T @ g
        if patterns.block_counts is not None:
            sums += patterns.block_counts[part].T @ g
    independent /= patterns.sample_rate
    if patterns.block_counts is None:
        return independent, independent
    is_filled = patterns.block_counts.any(axis=0)
    return _between_blocks(sums[is_filled]) / patterns.sample_rate, independent


def design_effect(clustered: Vector, independent: Vector) -> float:
    """How many data points count as one independent one: at least 1.  (Kish 1965.)

    Args:
        clustered: M, clusters taken into account.
        independent: M as if all data points were independent.
    """
    known = np.diag(independent) > 0
    ratios = np.diag(clustered)[known] / np.diag(independent)[known]
    return float(max(1.0, ratios.mean())) if len(ratios) else 1.0


def regularised_inverse(information: Vector) -> Vector:
    """The inverse of an information matrix, which may be singular: (size, size); 0 of one that is 0."""
    scale = float(np.diag(information).mean())
    if scale == 0:
        return np.zeros_like(information)
    return np.asarray(np.linalg.inv(information / scale + SINGULAR * np.eye(len(information))) / scale)


def _between_blocks(sums: Vector) -> Vector:
    """The covariance of the total of independent sums: (size, size); wider the fewer there are (Student's t)."""
    num_blocks = len(sums)
    if num_blocks < 2:
        return np.diag(np.full(sums.shape[1], np.inf))
    deviations = sums - sums.mean(axis=0)
    return np.asarray(
        _student_factor(num_blocks - 1) ** 2 * num_blocks / (num_blocks - 1) * deviations.T @ deviations
    )


def _student_factor(degrees: int) -> float:
    """The quantile of Student's t over that of the normal distribution (Fisher's expansion: 1% off at 4 degrees)."""
    z = INTERVAL_ERRORS
    first, second = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return (z + first / degrees + second / degrees**2 + third / degrees**3) / z
