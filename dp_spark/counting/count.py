"""Vote counts of a label matrix of any size, in one pass over its partitions."""

import logging
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from dp_spark.counting.indicators import BLOCK_ROWS
from dp_spark.counting.merging import count_batches
from dp_spark.counting.patterns import NUM_BLOCKS
from dp_spark.counting.vote_counts import VoteCounts, empty_counts
from dp_spark.errors import SchemaError
from dp_spark.labeling.matrix import LabelMatrix
from dp_spark.labeling.packing import VOTES_COLUMN, unpack_votes
from dp_spark.tables import quoted, refuse_duplicate_keys, refuse_missing_columns
from dp_spark.texts import counted

logger = logging.getLogger(__name__)


def count_votes(
    label_matrix: LabelMatrix, cluster: Sequence[str] = (), points: DataFrame | None = None
) -> VoteCounts:
    """The vote counts of a label matrix: exact, and the same for every partitioning.

    Args:
        label_matrix: preferably a written one; else its labeling functions run now.
        cluster: columns whose values data points share that belong together (sentences of one document, repeated
            texts): the label model's intervals then count clusters, not data points. Where one is null, the data
            point belongs to no other.
        points: a table with the label matrix's key columns, unique, and those of `cluster` that are not key columns.

    Raises:
        SchemaError: if the table holds no data points, or votes of another number of LFs; if a column of `cluster` is
            not there, or a key of `points` is null or occurs twice.
        LabelingFunctionError: from a label matrix that is not written yet.
    """
    start = empty_counts(
        label_matrix.lf_names, label_matrix.lf_hashes, label_matrix.num_classes, has_blocks=bool(cluster)
    )
    what = f"counting the votes of {counted(len(label_matrix.lf_names), 'LF')}"
    counts = count_batches(_rows(label_matrix, cluster, points), start, _with_batch, what=what)
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
    return counts.patterns.share_covered


def _rows(label_matrix: LabelMatrix, cluster: Sequence[str], points: DataFrame | None) -> DataFrame:
    """The votes of every data point, and its block if there are clusters."""
    if not cluster:
        return label_matrix.df.select(VOTES_COLUMN)
    key, df = list(label_matrix.key), label_matrix.df
    others = [name for name in cluster if name not in key]
    if others:
        known = df.select(*map(quoted, key)) if points is None else points
        refuse_missing_columns(known, {"count_votes": [*key, *others]}, "the table of clusters")
        refuse_duplicate_keys(known, key)
        df = df.join(known.select(*map(quoted, [*key, *others])), on=key, how="left")
    return df.select(VOTES_COLUMN, _block(cluster, key).alias("block"))


def _block(cluster: Sequence[str], key: Sequence[str]) -> Column:
    is_known = F.lit(True)
    for name in cluster:
        is_known = is_known & quoted(name).isNotNull()
    of_cluster, of_row = (F.xxhash64(*map(quoted, names)) for names in (cluster, key))
    return F.pmod(F.when(is_known, of_cluster).otherwise(of_row), F.lit(NUM_BLOCKS)).cast("tinyint")


def _with_batch(counts: VoteCounts, batch: pa.RecordBatch) -> VoteCounts:
    votes = unpack_votes(batch.column(0), counts.num_lfs)
    blocks = batch.column(1).to_numpy().astype(np.int64) if counts.has_blocks else None
    for first in range(0, len(votes), BLOCK_ROWS):
        rows = slice(first, first + BLOCK_ROWS)
        counts = counts.with_votes(votes[rows], None if blocks is None else blocks[rows])
    return counts
