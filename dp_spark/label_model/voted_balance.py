"""The class balance that LFs of one accuracy vote for: E[share of votes for c] = 1/k + q_i (π_c - 1/k), for every LF.

So each LF that votes for several classes, and whose q is known, tells the balance by how often it votes for which. If
they tell the same one, up to chance, it is taken. On real label matrices they seldom do: LFs prefer classes, and then
the balance that is estimated is theirs, not that of the data (docs/method.md has the measurement).
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from dp_spark.counting.agreement import is_one_sided
from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.label_model.assumptions import Assumptions
from dp_spark.label_model.independence import chi_squared_quantile
from dp_spark.label_model.model import Vector

FALSE_ALARM_RATE = 0.05  # to call LFs of one accuracy inconsistent
MIN_SCORE = 2.0  # standard errors of q from 0, that an LF has a say
MIN_LFS = 3  # of fewer, that they tell the same balance says little


def with_voted_balance(
    counts: VoteCounts, assumptions: Assumptions, q: Vector, errors: Vector, design_effect: float
) -> Assumptions:
    """The assumptions with the class balance of the votes, if that is not known otherwise and they agree on it.

    Args:
        counts: of the label matrix.
        assumptions: which may have a class balance.
        q: (m,) fitted to the agreements.
        errors: (m,) standard errors of q; infinite where it is not known.
        design_effect: how many data points count as one independent one.
    """
    speaks = ~is_one_sided(counts) & (np.abs(q) > MIN_SCORE * errors)
    if assumptions.balance_source != "uniform" or int(speaks.sum()) < MIN_LFS:
        return assumptions
    k, q, errors = counts.num_classes, q[speaks, None], errors[speaks, None]
    shares = (counts.votes_per_class[speaks] + 1) / (counts.num_votes[speaks, None] + k)
    deviations, tilt = shares - 1 / k, np.zeros(k)
    for _ in range(2):  # the second round knows how much the errors of q matter
        variances = (
            shares * (1 - shares) * design_effect / counts.num_votes[speaks, None] + (tilt * errors) ** 2
        )
        weights = q**2 / variances / (q**2 / variances).sum(axis=0)
        tilt = (weights * deviations / q).sum(axis=0)
    if _is_inconsistent((deviations - q * tilt) ** 2 / variances):
        return assumptions
    balance = np.maximum(1 / k + tilt, 1 / (counts.num_data_points + k))
    balance /= balance.sum()
    errors = _errors(counts, np.flatnonzero(speaks), balance, weights, variances / q**2, design_effect)
    return replace(assumptions, class_balance=balance, balance_source="estimated", balance_errors=errors)


def _errors(
    counts: VoteCounts,
    lfs: npt.NDArray[np.intp],
    balance: Vector,
    weights: Vector,
    variances: Vector,
    design_effect: float,
) -> Vector:
    """Standard errors of a mean of what LFs tell, with these weights and variances (lfs, k): (k,).

    A part of the variances is that of the classes of the data points, which LFs have in common where they overlap.
    """
    of_classes, num_votes = balance * (1 - balance) * design_effect, counts.num_votes[lfs, None]
    own = np.maximum(variances - of_classes / num_votes, 0)
    overlaps = counts.overlaps[np.ix_(lfs, lfs)] / num_votes / num_votes.T
    shared = np.einsum("ic,ij,jc->c", weights, overlaps, weights)
    return np.asarray(np.sqrt((weights**2 * own).sum(axis=0) + of_classes * shared))


def _is_inconsistent(squares: Vector) -> bool:
    """Whether LFs tell balances that differ by more than chance: squared z scores (lfs, k), which add up to 0."""
    num_lfs, k = squares.shape
    degrees = (num_lfs - 1) * (k - 1)
    chi_squared = float(squares.sum()) * (k - 1) / k
    return bool(chi_squared > chi_squared_quantile(1 - FALSE_ALARM_RATE, degrees))
