"""Pattern counts: the distinct vote vectors of a label matrix and how often each occurs.

Real label matrices have few: 81,105 rows of one set have 27. They are exact up to MAX_PATTERNS; above
it, a deterministic sample is kept: the patterns whose 64-bit hash begins with `log2_rate` zero bits, the
fewest bits that leave at most MAX_PATTERNS. Which patterns those are depends on the data alone, not on
how it was partitioned or in which order parts were merged: a part that holds too many patterns at some
rate is enough for the whole to hold too many at that rate.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dp_spark.hashing import GOLDEN_GAMMA, mixed
from dp_spark.labeling.votes import Votes

MAX_PATTERNS = 50_000  # at m=100 LFs 5.4 MB; the moments of a larger sample hardly gain
NUM_BLOCKS = 64  # of data points, by a hash of their cluster; standard errors from them are good to 9%
_HASH_BITS = 64

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class PatternCounts:
    """Distinct vote vectors, sorted, with their frequency.

    Attributes:
        votes: (num_patterns, m) int8.
        counts: (num_patterns,) int64: on how many data points each occurs; exact.
        log2_rate: patterns are kept with probability 2**-log2_rate, by their hash; 0 keeps all.
        block_counts: (num_patterns, NUM_BLOCKS) int64: `counts` for each block of data points; a cluster of
            data points that belong together is in one block as a whole. None if nothing is known of clusters.
    """

    votes: Votes
    counts: Counts
    log2_rate: int
    block_counts: Counts | None = None

    @property
    def sample_rate(self) -> float:
        """The share of patterns that is kept: 1.0 if the counts are complete."""
        return float(2.0**-self.log2_rate)

    @property
    def share_covered(self) -> float:
        """The share of data points with at least one vote, of those that are kept; NaN without any."""
        total = int(self.counts.sum())
        return float(self.counts[(self.votes != 0).any(axis=1)].sum() / total) if total else math.nan


def empty_patterns(num_lfs: int, *, has_blocks: bool = False) -> PatternCounts:
    """The pattern counts of no data points.

    Args:
        num_lfs: m.
        has_blocks: whether blocks are counted apart.
    """
    times = np.zeros((0, NUM_BLOCKS) if has_blocks else 0, dtype=np.int64)
    return _thinned(np.zeros((0, num_lfs), np.int8), times, 0)


def count_patterns(votes: Votes, log2_rate: int = 0, blocks: Counts | None = None) -> PatternCounts:
    """The pattern counts of some data points.

    Args:
        votes: (n, m) int8.
        log2_rate: patterns are sampled at least as thinly as 2**-log2_rate.
        blocks: (n,) int64 in [0, NUM_BLOCKS): the block of each data point; None if they are not known.
    """
    times = np.ones(len(votes), np.int64) if blocks is None else np.eye(NUM_BLOCKS, dtype=np.int64)[blocks]
    kept = _is_kept(pattern_hashes(votes), log2_rate)
    return _thinned(votes[kept], times[kept], log2_rate)


def merge_patterns(a: PatternCounts, b: PatternCounts) -> PatternCounts:
    """The pattern counts of both parts together.

    Raises:
        ValueError: if blocks are counted apart in one of them only.
    """
    if (a.block_counts is None) != (b.block_counts is None):
        raise ValueError(
            "pattern counts with clusters and without cannot be added: expected both the same. Count both tables with "
            "the same clusters."
        )
    log2_rate = max(a.log2_rate, b.log2_rate)
    votes, times = np.concatenate([a.votes, b.votes]), np.concatenate([_times(a), _times(b)])
    kept = _is_kept(pattern_hashes(votes), log2_rate)
    return _thinned(votes[kept], times[kept], log2_rate)


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


def _times(patterns: PatternCounts) -> Counts:
    """How often each pattern occurs: by block, if that is known."""
    return patterns.counts if patterns.block_counts is None else patterns.block_counts


def _thinned(votes: Votes, times: Counts, log2_rate: int) -> PatternCounts:
    votes, times = _distinct(votes, times)
    hashes = pattern_hashes(votes)
    while len(votes) > MAX_PATTERNS and log2_rate < _HASH_BITS - 1:
        log2_rate += 1
        kept = _is_kept(hashes, log2_rate)
        votes, times, hashes = votes[kept], times[kept], hashes[kept]
    if times.ndim == 1:
        return PatternCounts(votes, times, log2_rate)
    return PatternCounts(votes, times.sum(axis=1), log2_rate, times)


def _distinct(votes: Votes, times: Counts) -> tuple[Votes, Counts]:
    """Sorted distinct rows with the sums of how often they occur."""
    if votes.shape[1] == 0 or len(votes) == 0:
        return votes[:0], times[:0]
    rows = np.ascontiguousarray(votes).view(np.dtype((np.void, votes.shape[1]))).ravel()
    hashes, first, group = np.unique(pattern_hashes(votes), return_index=True, return_inverse=True)
    if not np.array_equal(rows[first][group], rows):  # two vote vectors with one hash: compare the rows
        _, first, group = np.unique(rows, return_index=True, return_inverse=True)
    by_group = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[by_group], np.arange(len(first)))
    sums = np.add.reduceat(times[by_group], starts, axis=0)
    order = np.argsort(rows[first])
    return votes[first][order], sums[order]


def _is_kept(hashes: npt.NDArray[np.uint64], log2_rate: int) -> npt.NDArray[np.bool_]:
    if log2_rate == 0:
        return np.ones(len(hashes), dtype=np.bool_)
    return np.asarray(hashes >> np.uint64(_HASH_BITS - log2_rate) == 0)
