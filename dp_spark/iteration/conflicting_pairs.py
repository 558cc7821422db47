"""Pairs of LFs that disagree most, from the vote counts alone."""

from dataclasses import dataclass

import numpy as np

from dp_spark.counting.vote_counts import VoteCounts


@dataclass(frozen=True)
class ConflictingPair:
    """Two LFs.

    Attributes:
        first, second: their names.
        num_conflicts: data points on which they vote for different classes.
        num_overlaps: data points on which both vote.
    """

    first: str
    second: str
    num_conflicts: int
    num_overlaps: int


def conflicting_pairs(counts: VoteCounts, num_pairs: int) -> tuple[ConflictingPair, ...]:
    """The pairs with most conflicts, those with none left out.

    Args:
        counts: of the label matrix.
        num_pairs: at most so many.

    >>> votes = np.array([[1, 1, -1], [1, -1, -1]], dtype=np.int8)
    >>> [(pair.first, pair.second, pair.num_conflicts) for pair in conflicting_pairs(VoteCounts.from_votes(votes), 2)]
    [('lf_0', 'lf_2', 2), ('lf_0', 'lf_1', 1)]
    """
    first, second = np.triu_indices(counts.num_lfs, 1)
    conflicts = (counts.overlaps - counts.agreements)[first, second]
    best = [i for i in np.argsort(-conflicts, kind="stable")[:num_pairs] if conflicts[i]]
    return tuple(
        ConflictingPair(
            counts.lf_names[first[i]],
            counts.lf_names[second[i]],
            int(conflicts[i]),
            int(counts.overlaps[first[i], second[i]]),
        )
        for i in best
    )
