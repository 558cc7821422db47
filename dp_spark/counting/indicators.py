"""Which LF votes which class on which data point, as 0 and 1: what all counts are sums of."""

import numpy as np
import numpy.typing as npt

from dp_spark.labeling.votes import Votes, classes_of

BLOCK_ROWS = 1 << 16  # float32 sums of 0 and 1 over a block are exact below 2**24

Mask = npt.NDArray[np.bool_]


def vote_indicators(votes: Votes, num_classes: int) -> npt.NDArray[np.float32]:
    """1 where an LF votes a class: (n, m * k) float32, for each LF its classes in order.

    Args:
        votes: (n, m) int8, legal votes; n at most BLOCK_ROWS for exact products.
        num_classes: k.
    """
    classes = np.array(classes_of(num_classes), dtype=np.int8)
    is_cast: Mask = votes[:, :, None] == classes
    return is_cast.reshape(len(votes), votes.shape[1] * num_classes).astype(np.float32)


def shared_votes(votes: Votes) -> tuple[Mask, Mask]:
    """Votes that overlap another LF's, and votes on data points with a conflict.

    A data point has a conflict iff |Σ λ| < |λ|₀ max |λ|: votes are ±1, or all positive, so that both sides
    are equal iff all votes on it are. A conflict is one of every LF that votes there.

    Args:
        votes: (n, m) int8, legal votes.

    Returns:
        overlapping: (n, m) bool: the LF votes, and so does another one.
        conflicting: (n, m) bool: the LF votes, and votes on the data point are of two or more classes.
    """
    by_lf = np.ascontiguousarray(votes.T)  # sums over LFs are then 4 times faster
    voted = by_lf != 0
    num_votes = voted.sum(axis=0, dtype=np.int32)
    equal_sum = num_votes * np.abs(by_lf).max(axis=0, initial=0)
    has_conflict = np.abs(by_lf.sum(axis=0, dtype=np.int32)) < equal_sum
    return (voted & (num_votes > 1)).T, (voted & has_conflict).T
