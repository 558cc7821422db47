"""Pattern counts: the distinct vote vectors of a label matrix and how often each occurs.

Real label matrices have few: 81,105 rows of one set have 27. They are exact up to MAX_PATTERNS; above
it, a deterministic sample is kept: the patterns whose 64-bit hash begins with `log2_rate` zero bits, the
fewest bits that leave at most MAX_PATTERNS. Which patterns those are depends on the data alone, not on
how it was partitioned or in which order parts were merged: a part that holds too many patterns at some
rate is enough for the whole to hold too many at that rate.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dp_spark.hashing import GOLDEN_GAMMA, mixed
from dp_spark.labeling.votes import Votes

MAX_PATTERNS = 50_000  # at m=100 LFs 5.4 MB; the moments of a larger sample hardly gain
_HASH_BITS = 64


@dataclass(frozen=True)
class PatternCounts:
    """Distinct vote vectors, sorted, with their frequency.

    Attributes:
        votes: (num_patterns, m) int8.
        counts: (num_patterns,) int64: on how many data points each occurs; exact.
        log2_rate: patterns are kept with probability 2**-log2_rate, by their hash; 0 keeps all.
    """

    votes: Votes
    counts: npt.NDArray[np.int64]
    log2_rate: int

    @property
    def sample_rate(self) -> float:
        """The share of patterns that is kept: 1.0 if the counts are complete."""
        return float(2.0**-self.log2_rate)


def count_patterns(votes: Votes, log2_rate: int = 0) -> PatternCounts:
    """The pattern counts of (n, m) votes, sampled at least as thinly as 2**-log2_rate."""
    kept = votes[_is_kept(pattern_hashes(votes), log2_rate)]
    return _thinned(kept, np.ones(len(kept), dtype=np.int64), log2_rate)


def merge_patterns(a: PatternCounts, b: PatternCounts) -> PatternCounts:
    """The pattern counts of both parts together."""
    log2_rate = max(a.log2_rate, b.log2_rate)
    votes, counts = np.concatenate([a.votes, b.votes]), np.concatenate([a.counts, b.counts])
    kept = _is_kept(pattern_hashes(votes), log2_rate)
    return _thinned(votes[kept], counts[kept], log2_rate)


def pattern_hashes(votes: Votes) -> npt.NDArray[np.uint64]:
    """A 64-bit hash of each row: (n,) uint64, the same on every machine.

    Args:
        votes: (n, m) int8.
    """
    num_rows, num_lfs = votes.shape
    words = np.zeros((num_rows, -(-max(num_lfs, 1) // 8) * 8), dtype=np.int8)
    words[:, :num_lfs] = votes
    hashes = np.full(num_rows, GOLDEN_GAMMA, dtype=np.uint64)
    for word in words.view("<u8").T:
        hashes = mixed((hashes ^ word) + GOLDEN_GAMMA)
    return hashes


def _thinned(votes: Votes, counts: npt.NDArray[np.int64], log2_rate: int) -> PatternCounts:
    votes, counts = _distinct(votes, counts)
    hashes = pattern_hashes(votes)
    while len(votes) > MAX_PATTERNS and log2_rate < _HASH_BITS - 1:
        log2_rate += 1
        kept = _is_kept(hashes, log2_rate)
        votes, counts, hashes = votes[kept], counts[kept], hashes[kept]
    return PatternCounts(votes, counts, log2_rate)


def _distinct(votes: Votes, counts: npt.NDArray[np.int64]) -> tuple[Votes, npt.NDArray[np.int64]]:
    """Sorted distinct rows with the sums of their counts."""
    if votes.shape[1] == 0 or len(votes) == 0:
        return votes[:0], counts[:0]
    rows = np.ascontiguousarray(votes).view(np.dtype((np.void, votes.shape[1]))).ravel()
    hashes, first, group = np.unique(pattern_hashes(votes), return_index=True, return_inverse=True)
    if not np.array_equal(rows[first][group], rows):  # two vote vectors with one hash: compare the rows
        _, first, group = np.unique(rows, return_index=True, return_inverse=True)
    sums = np.zeros(len(first), dtype=np.int64)
    np.add.at(sums, group, counts)
    order = np.argsort(rows[first])
    return votes[first][order], sums[order]


def _is_kept(hashes: npt.NDArray[np.uint64], log2_rate: int) -> npt.NDArray[np.bool_]:
    if log2_rate == 0:
        return np.ones(len(hashes), dtype=np.bool_)
    return np.asarray(hashes >> np.uint64(_HASH_BITS - log2_rate) == 0)
