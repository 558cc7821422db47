"""Sums over the votes in patterns, which expectation maximisation takes again in every round.

Where at most MAX_LISTED_SHARE of the votes are cast, they are listed once, and sums go over the list. Else, blocks of
patterns that fit the processor's cache are multiplied as matrices of 0 and 1, class by class: whole matrices
took five times as long (300 LFs, 20 classes, 50,000 patterns).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dp_spark.label_model.model import Vector
from dp_spark.labeling.votes import Votes, classes_of

MAX_LISTED_SHARE = (
    1 / 8
)  # of votes that are cast; beyond it, blocks are as fast (measured for 2 and 20 classes)
BLOCK_CELLS = 1 << 15  # of a 0/1 matrix of float64: 256 KiB


@dataclass(frozen=True, eq=False)
class ListedVotes:
    """The votes of P patterns by m LFs for k classes, as a list: 16 bytes for each vote cast.

    Attributes:
        shape: (P, m, k).
        rows: of each vote cast, its pattern.
        codes: of each vote cast, its LF times k plus the position of its class.
    """

    shape: tuple[int, int, int]
    rows: npt.NDArray[np.intp]
    codes: npt.NDArray[np.intp]

    def over_lfs(self, terms: Vector) -> Vector:
        """Σ_i terms[i, λ_i] of each pattern λ: (P, k).

        Args:
            terms: (m, k, k), [lf, vote, class].
        """
        num_patterns, m, k = self.shape
        by_class = terms.reshape(m * k, k).T
        sums = [np.bincount(self.rows, one[self.codes], num_patterns) for one in by_class]
        return np.asarray(np.stack(sums, axis=1), dtype=np.float64)  # of no votes, bincount has integers

    def over_patterns(self, weights: Vector) -> Vector:
        """The sum of the weights of the patterns in which an LF votes a: (m, k, k), [lf, vote, class].

        Args:
            weights: (P, k).
        """
        _, m, k = self.shape
        sums = [np.bincount(self.codes, one[self.rows], m * k) for one in weights.T]
        return np.asarray(np.stack(sums, axis=1).reshape(m, k, k), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class BlockedVotes:
    """The votes of P patterns by m LFs for k classes, as they are; the sums are those of `ListedVotes`.

    Attributes:
        votes: (P, m) int8.
        classes: the k votes.
    """

    votes: Votes
    classes: tuple[int, ...]

    def over_lfs(self, terms: Vector) -> Vector:
        """As `ListedVotes.over_lfs`."""
        sums = np.zeros((len(self.votes), len(self.classes)))
        by_vote = np.ascontiguousarray(terms.transpose(1, 0, 2))
        for block in self._blocks():
            for position, a in enumerate(self.classes):
                sums[block] += (self.votes[block] == a).astype(np.float64) @ by_vote[position]
        return sums

    def over_patterns(self, weights: Vector) -> Vector:
        """As `ListedVotes.over_patterns`."""
        sums = np.zeros((len(self.classes), self.votes.shape[1], len(self.classes)))
        for block in self._blocks():
            for position, a in enumerate(self.classes):
                sums[position] += (self.votes[block] == a).astype(np.float64).T @ weights[block]
        return np.ascontiguousarray(sums.transpose(1, 0, 2))

    def _blocks(self) -> Iterator[slice]:
        num_patterns, m = self.votes.shape
        size = max(1, BLOCK_CELLS // m)
        return (slice(first, first + size) for first in range(0, num_patterns, size))


def summable(votes: Votes, num_classes: int) -> ListedVotes | BlockedVotes:
    """The votes in the form whose sums are faster.

    Args:
        votes: (P, m) int8: patterns; 0 abstains.
        num_classes: k.
    """
    classes = classes_of(num_classes)
    if np.count_nonzero(votes) > MAX_LISTED_SHARE * votes.size:
        return BlockedVotes(votes, classes)
    rows, lfs = np.nonzero(votes)
    codes = lfs * num_classes + np.searchsorted(classes, votes[rows, lfs])
    return ListedVotes((*votes.shape, num_classes), rows, codes)
