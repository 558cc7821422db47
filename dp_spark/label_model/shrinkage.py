"""How far to trust fitted accuracies: less, the worse the model fits.  (Empirical Bayes; quasi-likelihood.)

Agreements scatter around q_i q_j by more than chance where LFs are not independent given the class. The ratio,
the *overdispersion* φ = χ² / degrees of freedom, is what a joint vote is worth less than an independent
one (McCullagh and Nelder 1989, section 4.5): variances grow by φ. Accuracies are then drawn to the pooled
accuracy by the share that chance has in their scatter (Efron and Morris 1975).
"""

from dataclasses import dataclass

import numpy as np

from dp_spark.counting.agreement import num_spare_pairs
from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.label_model.accuracies import Estimates
from dp_spark.label_model.model import Vector
from dp_spark.label_model.standard_errors import agreement_scores

MAX_ROUNDS = 1000
TOLERANCE = 1e-10  # on the variance between LFs
FIRST_VARIANCE = 0.05


@dataclass(frozen=True)
class Shrunk:
    """Accuracies drawn to their common mean.

    Attributes:
        q: (m,) float64; the common mean where an estimate is worth nothing.
        errors: (m,) standard errors of q, with the overdispersion.
        spread: the standard deviation of true q between LFs.
    """

    q: Vector
    errors: Vector
    spread: float


def overdispersion(counts: VoteCounts, estimates: Estimates) -> float | None:
    """φ = χ² / degrees of freedom of the agreements, at least 1; None if nothing is left to check the fit.

    What clusters of data points explain of it is not misfit: it is in the standard errors already.

    Args:
        counts: of the label matrix.
        estimates: fitted to them.
    """
    determined = np.ones(counts.num_lfs, dtype=np.bool_)
    determined[list(estimates.findings.undetermined)] = False
    pairs = estimates.pairs & determined[:, None] & determined[None, :]
    degrees = num_spare_pairs(pairs)
    if degrees <= 0:
        return None
    chi_squared = float((agreement_scores(counts, pairs, estimates.q) ** 2).sum()) / 2
    return max(1.0, chi_squared / degrees / estimates.design_effect)


def shrink(q: Vector, errors: Vector, mean: Vector | float) -> Shrunk:
    """The posterior means of q_i ~ N(mean, spread²), with the spread that makes the estimates most likely.

    Args:
        q: (m,) estimates.
        errors: (m,) their standard errors, above 0; infinite where q says nothing.
        mean: what q is without evidence; one for all, or (m,).
    """
    known = np.isfinite(errors)
    variances = np.where(known, errors, 1.0) ** 2
    between, deviations = FIRST_VARIANCE, np.where(known, q - mean, 0.0)
    for _ in range(MAX_ROUNDS if known.any() else 0):  # EM; its end is not critical: it only moves the trust
        trust = between / (between + variances)
        last, between = between, float(((trust * deviations) ** 2 + trust * variances)[known].mean())
        if abs(between - last) < TOLERANCE:
            break
    trust = np.where(known, between / (between + variances), 0.0)
    posterior = np.where(known, np.sqrt(trust * variances), np.sqrt(between))
    return Shrunk(mean + trust * deviations, posterior, float(np.sqrt(between)))
