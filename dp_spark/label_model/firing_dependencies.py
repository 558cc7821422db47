"""One-sided LFs that vote on the same data points more often than their class explains.

Their votes for one class always agree, so that agreement says nothing. But independent LFs for a class of share π come
together at most 1/π times as often as by chance, N_i N_j / n, whatever their accuracies: as often as if both were
always right. π is the given class balance's; or that at which the typical pair for the class comes together so often,
and no more than 1/k.
"""

from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from dp_spark.counting.agreement import Mask, is_one_sided
from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.label_model.assumptions import Assumptions
from dp_spark.label_model.dependencies import FALSE_ALARM_RATE, Dependencies
from dp_spark.label_model.model import Vector

LEAST_EXPECTED = 1.0  # joint votes that a pair needs to say how often pairs come together


def firing_dependencies(
    counts: VoteCounts, assumptions: Assumptions, design_effect: float = 1.0
) -> Dependencies:
    """The pairs of one-sided LFs that come together too often; excess is the share of the rarer LF's other votes.

    Args:
        counts: of the label matrix.
        assumptions: the class balance.
        design_effect: how many data points count as one independent one.
    """
    n, num_votes = max(counts.num_data_points, 1), counts.num_votes.astype(np.float64)
    of_class = counts.votes_per_class.argmax(axis=1)
    one_sided = is_one_sided(counts)
    pairs = one_sided[:, None] & one_sided[None, :] & (of_class[:, None] == of_class[None, :])
    np.fill_diagonal(pairs, False)
    most = np.minimum.outer(num_votes, num_votes)
    chance = np.outer(num_votes, num_votes) / n
    expected = np.minimum(
        chance * _lifts(counts, assumptions, pairs, chance, of_class)[of_class][:, None], most
    )
    z = NormalDist().inv_cdf(1 - FALSE_ALARM_RATE / max(int(pairs.sum()) // 2, 1))
    independent = expected / design_effect
    # z sqrt(e) + z²/3: the tail of a Poisson count with mean e, by Bernstein's inequality without its slack.
    too_many = pairs & (counts.overlaps / design_effect > independent + z * np.sqrt(independent) + z**2 / 3)
    excess = (counts.overlaps - expected) / np.maximum(most - expected, 1.0)
    return Dependencies(too_many, np.where(too_many, np.clip(excess, 0.0, 1.0), 0.0))


def _lifts(
    counts: VoteCounts, assumptions: Assumptions, pairs: Mask, chance: Vector, of_class: npt.NDArray[np.intp]
) -> Vector:
    """By how much more often than by chance independent pairs for each class may come together: (k,)."""
    lifts = 1 / assumptions.class_balance
    if assumptions.balance_source != "uniform":
        return np.asarray(lifts)
    for c in range(counts.num_classes):
        used = np.triu(pairs & (of_class == c)[:, None] & (chance * counts.num_classes >= LEAST_EXPECTED), 1)
        if used.any():
            lifts[c] = max(lifts[c], float(np.median(counts.overlaps[used] / chance[used])))
    return np.asarray(lifts)
