"""Votes by part of the table: integers that add up, in one pass over a label matrix."""

import io
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import DataFrame

from dp_spark.counting.indicators import BLOCK_ROWS, vote_indicators
from dp_spark.counting.merging import count_batches
from dp_spark.labeling.packing import VOTES_COLUMN, unpack_votes

PART_COLUMN = "_dp_spark_part"  # beside the votes

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PartVotes:
    """What m LFs vote in each of s parts, k classes.

    Attributes:
        num_data_points: (s,) int64.
        votes: (s, m, k) int64: how often each LF votes each class.
    """

    num_data_points: Counts
    votes: Counts

    def __add__(self, other: Self) -> Self:
        """The counts of both together."""
        return type(self)(self.num_data_points + other.num_data_points, self.votes + other.votes)

    def to_bytes(self) -> bytes:
        """The counts, the same bytes for the same counts."""
        buffer = io.BytesIO()
        np.savez(buffer, num_data_points=self.num_data_points, votes=self.votes)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """The counts that `to_bytes` wrote."""
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return cls(arrays["num_data_points"], arrays["votes"])

    def with_batch(self, batch: pa.RecordBatch) -> Self:
        """These counts and those of a batch of packed votes and parts."""
        num_parts, num_lfs, num_classes = self.votes.shape
        votes, parts = unpack_votes(batch.column(0), num_lfs), batch.column(1).to_numpy()
        counted = self
        for first in range(0, len(votes), BLOCK_ROWS):
            rows = slice(first, first + BLOCK_ROWS)
            in_part = (parts[rows] == np.arange(num_parts)[:, None]).astype(np.float32)
            sums = in_part @ vote_indicators(votes[rows], num_classes)
            counted = counted + type(self)(
                in_part.sum(axis=1, dtype=np.float64).astype(np.int64),
                sums.astype(np.int64).reshape(self.votes.shape),
            )
        return counted


def count_part_votes(rows: DataFrame, num_parts: int, num_lfs: int, num_classes: int) -> PartVotes:
    """The votes of each part.

    Args:
        rows: packed votes, and in PART_COLUMN the position of the part as an int.
        num_parts: s.
        num_lfs: m.
        num_classes: k.
    """
    shape = (num_parts, num_lfs, num_classes)
    start = PartVotes(np.zeros(num_parts, np.int64), np.zeros(shape, np.int64))
    return count_batches(rows.select(VOTES_COLUMN, PART_COLUMN), start, PartVotes.with_batch)
