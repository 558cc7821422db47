"""Vote counts in two halves of the data points, from the pattern counts: fit on one, judge on the other."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from dp_spark.counting.indicators import shared_votes, vote_indicators
from dp_spark.counting.patterns import PatternCounts
from dp_spark.counting.vote_counts import VoteCounts

PATTERNS_PER_BLOCK = 1 << 13  # of 1,000 LFs 64 MiB per array
MAX_EXACT_SUM = 1 << 24  # float32 sums of integers are exact below it, and twice as fast as float64 ones


def halves(counts: VoteCounts) -> tuple[VoteCounts, VoteCounts]:
    """The data points of every pattern in two halves; odd ones go to the first and the second in turn.

    Where clusters are known, every other block is the first half, so that none is in both. Above the cap of
    patterns these are halves of the sample, complete in themselves.
    """
    times, by_block = counts.patterns.counts, counts.patterns.block_counts
    if by_block is not None:
        times, times_of_first = by_block, by_block * (np.arange(by_block.shape[1]) % 2 == 0)
    else:
        odd = times % 2
        times_of_first = times // 2 + odd * (np.cumsum(odd) % 2)
    first = _of_patterns(counts, times_of_first)
    if counts.patterns.log2_rate == 0:
        return first, _rest(counts, first, times - times_of_first)
    return first, _of_patterns(counts, times - times_of_first)


def _of_patterns(counts: VoteCounts, times: npt.NDArray[np.int64]) -> VoteCounts:
    """The counts of data points with these patterns, which occur so often: (num_patterns,), or by block."""
    patterns = _present(counts.patterns, times)
    num_overlaps = num_conflicts = np.zeros(counts.num_lfs, dtype=np.int64)
    for first in range(0, len(patterns.votes), PATTERNS_PER_BLOCK):
        block = slice(first, first + PATTERNS_PER_BLOCK)
        overlapping, conflicting = shared_votes(patterns.votes[block])
        # Sums of float64 are exact below 2**53, and several times faster.
        weights = patterns.counts[block].astype(np.float64)
        num_overlaps = num_overlaps + (weights @ overlapping).astype(np.int64)
        num_conflicts = num_conflicts + (weights @ conflicting).astype(np.int64)
    return replace(
        counts,
        num_data_points=int(patterns.counts.sum()),
        joint=_joint(patterns, counts.num_classes),
        num_overlaps=num_overlaps,
        num_conflicts=num_conflicts,
        patterns=patterns,
    )


def _rest(counts: VoteCounts, part: VoteCounts, times: npt.NDArray[np.int64]) -> VoteCounts:
    """The counts of the other data points, of which each pattern has so many: the patterns are complete."""
    return replace(
        counts,
        num_data_points=counts.num_data_points - part.num_data_points,
        joint=counts.joint - part.joint,
        num_overlaps=counts.num_overlaps - part.num_overlaps,
        num_conflicts=counts.num_conflicts - part.num_conflicts,
        patterns=_present(counts.patterns, times),
    )


def _present(patterns: PatternCounts, times: npt.NDArray[np.int64]) -> PatternCounts:
    """The patterns that occur, so often: (num_patterns,), or by block."""
    totals = times if times.ndim == 1 else times.sum(axis=1)
    present = totals > 0
    by_block = None if times.ndim == 1 else times[present]
    return PatternCounts(patterns.votes[present], totals[present], 0, by_block)


def _joint(patterns: PatternCounts, num_classes: int) -> npt.NDArray[np.int64]:
    num_lfs = patterns.votes.shape[1]
    total = np.zeros((num_lfs * num_classes,) * 2, dtype=np.int64)
    for first in range(0, len(patterns.votes), PATTERNS_PER_BLOCK):
        block = slice(first, first + PATTERNS_PER_BLOCK)
        times = patterns.counts[block]
        kind = np.float32 if times.sum() < MAX_EXACT_SUM else np.float64
        indicators = vote_indicators(patterns.votes[block], num_classes).astype(kind, copy=False)
        total += ((indicators * times[:, None].astype(kind)).T @ indicators).astype(np.int64)
    return total.reshape((num_lfs, num_classes) * 2)
