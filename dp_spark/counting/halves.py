"""Vote counts in two halves of the data points, from the pattern counts: fit on one, judge on the other."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from dp_spark.counting.indicators import BLOCK_ROWS, shared_votes, vote_indicators
from dp_spark.counting.patterns import PatternCounts
from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.labeling.votes import Votes


def halves(counts: VoteCounts) -> tuple[VoteCounts, VoteCounts]:
    """The data points of every pattern in two halves; odd ones go to the first and the second in turn.

    Where clusters are known, every other block is the first half, so that none is in both. Above the cap of
    patterns these are halves of the sample, complete in themselves.
    """
    times, by_block = counts.patterns.counts, counts.patterns.block_counts
    if by_block is not None:
        is_first = np.arange(by_block.shape[1]) % 2 == 0
        return _of_patterns(counts, by_block * is_first), _of_patterns(counts, by_block * ~is_first)
    odd = times % 2
    first = times // 2 + odd * (np.cumsum(odd) % 2)
    return _of_patterns(counts, first), _of_patterns(counts, times - first)


def _of_patterns(counts: VoteCounts, times: npt.NDArray[np.int64]) -> VoteCounts:
    """The counts of data points with these patterns, which occur so often: (num_patterns,), or by block."""
    by_block = times if times.ndim > 1 else None
    times = times.sum(axis=1) if times.ndim > 1 else times
    present = times > 0
    votes, times = counts.patterns.votes[present], times[present]
    overlapping, conflicting = shared_votes(votes)
    return replace(
        counts,
        num_data_points=int(times.sum()),
        joint=_joint(votes, times, counts.num_classes),
        num_overlaps=times @ overlapping,
        num_conflicts=times @ conflicting,
        patterns=PatternCounts(votes, times, 0, None if by_block is None else by_block[present]),
    )


def _joint(votes: Votes, times: npt.NDArray[np.int64], num_classes: int) -> npt.NDArray[np.int64]:
    shape = (votes.shape[1], num_classes) * 2
    total = np.zeros((votes.shape[1] * num_classes,) * 2)  # float64 sums of integers are exact below 2**53
    for first in range(0, len(votes), BLOCK_ROWS):
        block = slice(first, first + BLOCK_ROWS)
        indicators = vote_indicators(votes[block], num_classes).astype(np.float64)
        total += (indicators * times[block, None]).T @ indicators
    return np.rint(total).astype(np.int64).reshape(shape)
