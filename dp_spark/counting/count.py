"""Vote counts of a label matrix of any size, in one pass over its partitions."""

import logging
import math

import pyarrow as pa

from dp_spark.counting.indicators import BLOCK_ROWS
from dp_spark.counting.merging import count_batches
from dp_spark.counting.vote_counts import VoteCounts, empty_counts
from dp_spark.errors import SchemaError
from dp_spark.labeling.matrix import LabelMatrix
from dp_spark.labeling.packing import VOTES_COLUMN, unpack_votes

logger = logging.getLogger(__name__)


def count_votes(label_matrix: LabelMatrix) -> VoteCounts:
    """The vote counts of a label matrix: exact, and the same for every partitioning.

    Args:
        label_matrix: preferably a written one; else its labeling functions run now.

    Raises:
        SchemaError: if the table holds no data points, or votes of another number of LFs.
        LabelingFunctionError: from a label matrix that is not written yet.
    """
    start = empty_counts(label_matrix.lf_names, label_matrix.lf_hashes, label_matrix.num_classes)
    counts = count_batches(label_matrix.df.select(VOTES_COLUMN), start, _with_batch)
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


def _with_batch(counts: VoteCounts, batch: pa.RecordBatch) -> VoteCounts:
    votes = unpack_votes(batch.column(0), counts.num_lfs)
    for first in range(0, len(votes), BLOCK_ROWS):
        counts = counts.with_votes(votes[first : first + BLOCK_ROWS])
    return counts
