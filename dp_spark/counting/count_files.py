"""Vote counts as a file: .npz without pickles, the same bytes for the same counts."""

import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from dp_spark.counting.indicators import shared_votes
from dp_spark.counting.patterns import NUM_BLOCKS, PatternCounts

Counts = npt.NDArray[np.int64]

FORMAT_VERSION = 3  # 1 had no num_overlaps and num_conflicts, 2 no blocks


def counts_file(
    header: Mapping[str, object],
    joint: Counts,
    num_overlaps: Counts,
    num_conflicts: Counts,
    patterns: PatternCounts,
) -> bytes:
    """The content of a file of vote counts.

    Args:
        header: what is not an array, in JSON's types.
        joint: as of `VoteCounts`.
        num_overlaps: as of `VoteCounts`.
        num_conflicts: as of `VoteCounts`.
        patterns: as of `VoteCounts`.
    """
    whole = {"version": FORMAT_VERSION, **header, "log2_rate": patterns.log2_rate}
    by_block, buffer = patterns.block_counts, io.BytesIO()
    np.savez(
        buffer,
        header=np.frombuffer(json.dumps(whole).encode(), dtype=np.uint8),
        joint=joint,
        num_overlaps=num_overlaps,
        num_conflicts=num_conflicts,
        patterns=patterns.votes,
        pattern_counts=patterns.counts,
        has_blocks=np.array(by_block is not None),
        block_positions=np.flatnonzero(np.zeros(0) if by_block is None else by_block),
        block_counts=np.zeros(0, np.int64) if by_block is None else by_block[by_block > 0],
    )
    return buffer.getvalue()


def read_counts_file(content: bytes) -> tuple[dict[str, Any], Counts, Counts, Counts, PatternCounts]:
    """The header and the arrays that `counts_file` was given.

    Raises:
        ValueError: if the content is no such file, of a newer format, or of version 1 with sampled patterns.
    """
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        header = json.loads(arrays["header"].tobytes())
        if header["version"] > FORMAT_VERSION:
            raise ValueError(
                f"these vote counts have format version {header['version']}: this dp_spark reads up to "
                f"{FORMAT_VERSION}. Use the version that wrote them, or a newer one."
            )
        by_block = None
        if header["version"] > 2 and arrays["has_blocks"]:
            by_block = np.zeros((len(arrays["patterns"]), NUM_BLOCKS), np.int64)
            by_block.reshape(-1)[arrays["block_positions"]] = arrays["block_counts"]
        patterns = PatternCounts(arrays["patterns"], arrays["pattern_counts"], header["log2_rate"], by_block)
        if header["version"] == 1:
            num_overlaps, num_conflicts = _totals_of_version_1(patterns)
        else:
            num_overlaps, num_conflicts = arrays["num_overlaps"], arrays["num_conflicts"]
        return header, arrays["joint"], num_overlaps, num_conflicts, patterns


def _totals_of_version_1(patterns: PatternCounts) -> tuple[Counts, Counts]:
    """`num_overlaps` and `num_conflicts` from complete pattern counts."""
    if patterns.log2_rate:
        raise ValueError(
            f"these vote counts have format version 1 and a sample of the patterns, 1 of "
            f"{2**patterns.log2_rate}: each LF's overlaps and conflicts are not in them. Expected version "
            f"{FORMAT_VERSION}, or all patterns. Count the votes again."
        )
    overlapping, conflicting = shared_votes(patterns.votes)
    return patterns.counts @ overlapping, patterns.counts @ conflicting
