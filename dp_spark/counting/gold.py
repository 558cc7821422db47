"""Gold counts of a label matrix of any size: a join by key, and one pass over what it found."""

import logging

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.types import NumericType

from dp_spark.counting.gold_counts import GoldCounts, empty_gold_counts
from dp_spark.counting.indicators import BLOCK_ROWS
from dp_spark.counting.merging import count_batches
from dp_spark.errors import SchemaError
from dp_spark.labeling.matrix import LabelMatrix
from dp_spark.labeling.packing import VOTES_COLUMN, unpack_votes
from dp_spark.labeling.votes import classes_of
from dp_spark.progress.named_jobs import named_jobs
from dp_spark.tables import NUM_EXAMPLES, quoted, refuse_duplicate_keys, refuse_missing_columns
from dp_spark.texts import counted
from dp_spark.worker_errors import translated_errors

logger = logging.getLogger(__name__)

_GOLD = "_dp_spark_gold"  # beside the key columns


def count_gold(label_matrix: LabelMatrix, gold: DataFrame, gold_column: str = "gold") -> GoldCounts:
    """How often each LF votes each class where the truth is known: exact, whatever the partitioning.

    Data points without a gold label, and gold labels of other tables' keys, are left out.

    Args:
        label_matrix: a written one; the join may shuffle its rows, and rerun LFs that are not on storage.
        gold: the label matrix's key columns, unique, and the gold label: -1 or +1 for two classes, else 1
            to k; null or 0 where it is not known.
        gold_column: its name in `gold`.

    Raises:
        SchemaError: if columns are missing, a key of `gold` is null or occurs twice, a gold label is
            another value, or no data point has a gold label.
    """
    key, num_classes = list(label_matrix.key), label_matrix.num_classes
    refuse_missing_columns(gold, {"count_gold": [*key, gold_column]}, "the table of gold labels")
    refuse_duplicate_keys(gold, key)
    refuse_other_gold(gold, gold_column, num_classes)
    known = gold.where(quoted(gold_column) != 0)
    truth = known.select(*map(quoted, key), quoted(gold_column).cast("tinyint").alias(_GOLD))
    joined = label_matrix.df.join(truth, on=key, how="inner").select(VOTES_COLUMN, _GOLD)
    start = empty_gold_counts(label_matrix.lf_names, num_classes)
    what = f"counting the votes of {counted(len(label_matrix.lf_names), 'LF')} beside gold labels"
    counts = count_batches(joined, start, _with_batch, what=what)
    if counts.num_gold == 0:
        raise SchemaError(
            f"no data point of the label matrix has a gold label in {gold_column!r}: expected keys "
            f"{key} that occur in both tables, with one of {classes_of(num_classes)}. Check that both have "
            "the same key values, and that the truth is known somewhere."
        )
    logger.info("counted gold labels: n=%d m=%d", counts.num_gold, len(counts.lf_names))
    return counts


def refuse_other_gold(gold: DataFrame, gold_column: str, num_classes: int) -> None:
    """Refuse a column with anything but classes, 0 and null; it is read once.

    Raises:
        SchemaError: naming other values or types, or if 0 seems to stand for the negative class.
    """
    classes, kind = classes_of(num_classes), gold.select(quoted(gold_column)).schema[0].dataType
    expected = f"expected one of {classes}, and 0 or null where the truth is not known. Recode the column."
    if not isinstance(kind, NumericType):
        raise SchemaError(f"the gold labels in {gold_column!r} are of type {kind.simpleString()}: {expected}")
    distinct = gold.select(quoted(gold_column).alias(_GOLD)).distinct()
    with named_jobs(gold.sparkSession, f"looking at the values of {gold_column}"), translated_errors():
        rows = distinct.limit(len(classes) + 2 + NUM_EXAMPLES).collect()  # 2: null and 0
    found = {row[_GOLD] for row in rows}
    others = found - {None, 0, *classes}
    if others:
        examples = sorted(map(str, others))[:NUM_EXAMPLES]
        raise SchemaError(f"{gold_column!r} holds {', '.join(examples)}: {expected}")
    if num_classes == 2 and found >= {0, 1} and -1 not in found:
        raise SchemaError(
            f"{gold_column!r} holds 0 and 1, but never -1: expected -1 for the negative class. Recode 0 as "
            "-1, or as null if it says that the truth is not known."
        )


def _with_batch(counts: GoldCounts, batch: pa.RecordBatch) -> GoldCounts:
    votes = unpack_votes(batch.column(0), len(counts.lf_names))
    gold = batch.column(1).to_numpy()
    for first in range(0, len(votes), BLOCK_ROWS):
        rows = slice(first, first + BLOCK_ROWS)
        counts = counts.with_votes(votes[rows], gold[rows])
    return counts
