"""Vote counts of a label matrix, in one pass over its partitions.

Every task counts its rows; counts are then merged with `+` in two rounds of tasks, so that the driver
receives the counts of the whole table once, whatever the number of rows or partitions.
"""

import logging
import math
from collections.abc import Iterable, Iterator
from functools import reduce

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from dp_spark.counting.vote_counts import BLOCK_ROWS, VoteCounts, empty_counts
from dp_spark.errors import SchemaError
from dp_spark.labeling.matrix import VOTES_COLUMN, LabelMatrix, unpack_votes
from dp_spark.tables import BatchPass
from dp_spark.worker_errors import marked, translated_errors

logger = logging.getLogger(__name__)

NUM_MERGERS = 8  # tasks of the first merging round
_SCHEMA = "partition int, counts binary"


def count_votes(label_matrix: LabelMatrix) -> VoteCounts:
    """The vote counts of a label matrix: exact, and the same for every partitioning.

    Args:
        label_matrix: preferably a written one; else its labeling functions run now.

    Raises:
        SchemaError: if the table holds no data points, or votes of another number of LFs.
        LabelingFunctionError: from a label matrix that is not written yet.
    """
    start = empty_counts(label_matrix.lf_names, label_matrix.lf_hashes, label_matrix.num_classes)
    partials = label_matrix.df.select(VOTES_COLUMN).mapInArrow(_counter(start), _SCHEMA)
    merged = _merged(_merged(partials, NUM_MERGERS), 1)
    with translated_errors():
        rows = merged.select("counts").collect()  # one row: the counts of the whole table
    counts = reduce(VoteCounts.__add__, (VoteCounts.from_bytes(bytes(row["counts"])) for row in rows), start)
    if counts.num_data_points == 0:
        raise SchemaError("the label matrix holds no data points: there is nothing to count. Check its path.")
    logger.info(
        "counted votes: n=%d m=%d covered=%.1f%% patterns=%d",
        counts.num_data_points,
        counts.num_lfs,
        100 * share_covered(counts),
        len(counts.patterns.counts),
    )
    return counts


def share_covered(counts: VoteCounts) -> float:
    """The share of data points with at least one vote, from the pattern counts (sampled above their cap)."""
    weights = counts.patterns.counts
    total = int(weights.sum())
    return float(weights[(counts.patterns.votes != 0).any(axis=1)].sum() / total) if total else math.nan


def _merged(partials: DataFrame, num_tasks: int) -> DataFrame:
    target = F.pmod(F.col("partition"), F.lit(num_tasks)) if num_tasks > 1 else F.lit(0)
    return partials.repartition(num_tasks, target).mapInArrow(_merge, _SCHEMA)


def _counter(start: VoteCounts) -> BatchPass:
    def count(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        counts = start
        try:
            for batch in batches:
                votes = unpack_votes(batch.column(0), start.num_lfs)
                for first in range(0, len(votes), BLOCK_ROWS):
                    counts = counts.with_votes(votes[first : first + BLOCK_ROWS])
        except SchemaError as problem:
            raise marked(problem) from problem
        yield _row(counts)

    return count


def _merge(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    counts: VoteCounts | None = None
    for batch in batches:
        for content in batch.column(1):
            part = VoteCounts.from_bytes(content.as_py())
            counts = part if counts is None else counts + part
    if counts is not None:
        yield _row(counts)


def _row(counts: VoteCounts) -> pa.RecordBatch:
    # Spreads the partial counts over the merging tasks; any number does, this one is the same on a retry.
    partition = counts.num_data_points % (1 << 30)
    return pa.RecordBatch.from_arrays(
        [pa.array([partition], pa.int32()), pa.array([counts.to_bytes()], pa.binary())],
        names=["partition", "counts"],
    )
