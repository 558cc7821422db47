"""Pairs of LFs that agree more than the model allows: near-copies, or LFs that look at the same thing.

With accuracies alone, Z ≈ q qᵀ. A cluster of dependent LFs breaks that, and if it is large, the fit explains the
cluster and calls the others dependent. So the completion is also fitted without the pairs that agree most, at
several shares. Of those after which the bulk of the pairs scatters by chance alone, the fit that leaves the fewest
pairs unexplained is taken, and pairs beyond chance are named. Where no such fit exists, the model is wrong in another
way than by a few dependent pairs; then the plain fit stays, and only pairs that stand out from its scatter are named.
(Least trimmed squares: Rousseeuw 1984; Varma et al., ICML 2019, for the problem.)
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from dp_spark.counting.agreement import Mask, agreement_matrix, num_spare_pairs
from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.label_model.completion import complete_rank_one
from dp_spark.label_model.model import Vector
from dp_spark.label_model.standard_errors import agreement_scores

FALSE_ALARM_RATE = 0.05  # chance to name any pair where the model holds (Bonferroni over all pairs)
SHARES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)  # of pairs, those that agree most, left out of a fit
LEAST_SPREAD = 0.05  # of q between LFs; less is not told from chance
MAX_ROUNDS = 10  # of naming pairs and fitting again without them
# Of the bulk of the scores, to be called chance; on real sets without dependent pairs it is 1.5 and more.
MAX_SCALE = 1.2
# The bulk's share of the scores; where hardly any pair is left over, the largest score has no finite expectation.
MAX_BULK = 0.99


@dataclass(frozen=True)
class Dependencies:
    """Which LFs depend on each other, and how much.

    Attributes:
        pairs: (m, m) bool, symmetric.
        excess: (m, m) float64 in [0, 1]: of the disagreements that accuracies explain, the share that is
            missing: (Z_ij - q_i q_j) / (1 - q_i q_j); 1 for copies, 0 for pairs that are not dependent.
    """

    pairs: Mask
    excess: Vector

    def beside(self, others: "Dependencies") -> "Dependencies":
        """Both; of a pair that is in both the greater excess."""
        return Dependencies(self.pairs | others.pairs, np.maximum(self.excess, others.excess))


def find_dependencies(counts: VoteCounts, pairs: Mask) -> Mask:
    """The pairs that agree more than any accuracies allow: (m, m) bool, symmetric.

    Args:
        counts: of the label matrix.
        pairs: (m, m) bool, symmetric: whose agreements say something.
    """
    upper, nothing = np.triu(pairs, 1), np.zeros_like(pairs)
    if not upper.any():
        return nothing
    threshold = NormalDist().inv_cdf(1 - FALSE_ALARM_RATE / int(upper.sum()))
    q, num_lfs = _most_explaining(counts, pairs, threshold), int(pairs.any(axis=1).sum())
    if q is None:
        return nothing
    found = nothing
    for _ in range(MAX_ROUNDS):
        scores = agreement_scores(counts, pairs, q)
        named = pairs & (scores > threshold * _scale(scores[upper], num_lfs))
        if np.array_equal(named, found) or num_spare_pairs(pairs & ~named) <= 0:
            break
        found, q = named, _fitted_q(counts, pairs & ~named)
    return found


def measured(counts: VoteCounts, pairs: Mask, q: Vector) -> Dependencies:
    """Dependent pairs with their excess agreement.

    Args:
        counts: of the label matrix.
        pairs: (m, m) bool, symmetric: the dependent ones.
        q: (m,) fitted without them.
    """
    Z, _ = agreement_matrix(counts)
    expected = np.clip(np.outer(q, q), -1.0, 1.0)
    excess = (Z - expected) / np.maximum(1 - expected, np.finfo(float).eps)
    return Dependencies(pairs, np.where(pairs, np.clip(excess, 0.0, 1.0), 0.0))


def votes_per_opinion(counts: VoteCounts, dependencies: Dependencies) -> Vector:
    """How many votes of an LF and those that repeat it count as one: 1 + Σ_j excess_ij N_ij / N_i: (m,).

    Of c copies each vote counts 1 / c; an LF that repeats another on a part of its data points counts more.
    """
    shares = counts.overlaps / np.maximum(counts.num_votes, 1)[:, None]
    return np.asarray(1 + (dependencies.excess * shares).sum(axis=1))


def _most_explaining(counts: VoteCounts, pairs: Mask, threshold: float) -> Vector | None:
    """The q of the fit that is likeliest: each unexplained pair has one price, and q is normal with its own spread.

    It has the least Σ min(score², threshold²) + m log Var(q).
    """
    if num_spare_pairs(pairs) <= 0:
        return None
    Z, upper, num_lfs = agreement_matrix(counts)[0], np.triu(pairs, 1), int(pairs.any(axis=1).sum())
    best, least = _fitted_q(counts, pairs), np.inf
    for share in SHARES:
        kept = pairs & (np.quantile(Z[upper], 1 - share) > Z) if share else pairs
        if num_spare_pairs(kept) <= 0:
            continue
        q = _fitted_q(counts, kept) if share else best
        scores = agreement_scores(counts, pairs, q)[upper]
        scale = _scale(scores, num_lfs)
        # Two clusters of one size explain each other away: LFs that resemble each other are the likelier ones.
        spread = num_lfs * float(np.log(q[pairs.any(axis=1)].var() + LEAST_SPREAD**2))
        loss = float(np.minimum(scores**2, threshold**2).sum()) + spread
        if scale <= MAX_SCALE and loss < least:
            best, least = q, loss
        if not share and not (np.abs(scores) > threshold * scale).any():
            break  # nothing to explain
    return best


def _fitted_q(counts: VoteCounts, pairs: Mask) -> Vector:
    q, members = np.zeros(counts.num_lfs), np.flatnonzero(pairs.any(axis=1))
    block = np.ix_(members, members)
    weights = np.where(pairs, counts.overlaps, 0)[block].astype(np.float64)
    q[members] = complete_rank_one(agreement_matrix(counts)[0][block], weights).q
    return q


def _scale(scores: Vector, num_lfs: int) -> float:
    """By how much the bulk of n scores scatters more than by chance, at least 1.

    The bulk are the (n + m + 1) / 2 smallest: as many as can be explained when m accuracies are fitted to them and
    up to half of the others are outliers (Rousseeuw 1984).
    """
    bulk = min((len(scores) + num_lfs + 1) // 2, len(scores))
    share = min(bulk / len(scores), MAX_BULK)
    expected = NormalDist().inv_cdf((1 + share) / 2) ** 2
    return float(np.sqrt(max(1.0, np.sort(scores**2)[bulk - 1] / expected)))
