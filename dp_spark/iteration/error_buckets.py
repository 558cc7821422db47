"""Where labels are wrong: rows with gold by gold class and label, and by which LFs voted what.

As snorkel's `get_label_buckets`, but where the rows are: the driver gets counts, and some keys of each bucket.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import BinaryType, IntegerType, StructType

from dp_spark.counting.gold import refuse_other_gold
from dp_spark.iteration.label_classes import (
    LabeledVotes,
    label_positions,
    labeled,
    position_titles,
)
from dp_spark.label_model.model import LabelModel
from dp_spark.labeling.packing import VOTES_COLUMN, unpack_votes
from dp_spark.labels.label import PROB_LABEL, label_type, labels_as_arrow
from dp_spark.progress.named_jobs import named_jobs
from dp_spark.tables import (
    BatchPass,
    map_batches,
    quoted,
    refuse_duplicate_keys,
    refuse_missing_columns,
    refuse_reserved_keys,
)

GOLD, LABEL = "gold", "label"  # columns beside the key, with positions as of `label_positions`
BUCKET_COLUMNS = (GOLD, LABEL, PROB_LABEL, VOTES_COLUMN)
_NUM_ROWS, _RANK = "_num_rows", "_rank"


@dataclass(frozen=True)
class Bucket:
    """Rows with the same gold class, the same label, and the same votes.

    Attributes:
        gold: the gold class's position.
        label: the label's position.
        votes: the packed votes.
        num_rows: how many there are.
    """

    gold: int
    label: int
    votes: bytes
    num_rows: int


def label_buckets(
    labeled_votes: LabeledVotes,
    gold: DataFrame,
    gold_column: str = "gold",
    predictions: DataFrame | None = None,
) -> DataFrame:
    """The rows with gold, each with its gold class and its label: filter them, and join them to the table.

    Args:
        labeled_votes: a written label matrix and its label model.
        gold: the key columns, unique, and the gold label: -1 or +1, or 1 to k; null or 0 where it is not known.
        gold_column: its name in `gold`.
        predictions: an end model's, to be judged instead of the labels; rows that it lacks are left out.

    Returns:
        The key columns; `gold` and `label`: the class's name or number, or for the label "tied" or "uncovered";
        `prob_label`.

    Raises:
        SchemaError: if columns are missing, keys are null or occur twice, a gold label is another value, or a key
            column has the name of another column.
    """
    key = labeled_votes.matrix.key
    rows = judged_rows(labeled_votes, gold, gold_column, predictions)
    titles = F.array(*map(F.lit, position_titles(labeled_votes.classes)))
    named = (F.element_at(titles, F.col(name) + 1).alias(name) for name in (GOLD, LABEL))
    return rows.select(*map(quoted, key), *named, PROB_LABEL)


def judged_rows(
    labeled_votes: LabeledVotes, gold: DataFrame, gold_column: str, predictions: DataFrame | None
) -> DataFrame:
    """The key columns and BUCKET_COLUMNS of the rows with gold; arguments and errors as of `label_buckets`."""
    matrix, model, key = labeled_votes.matrix, labeled_votes.model, list(labeled_votes.matrix.key)
    refuse_reserved_keys(key, BUCKET_COLUMNS)
    rows = matrix.df.join(_truth(gold, gold_column, key, model), on=key, how="inner")
    rows = rows.select(*map(quoted, key), VOTES_COLUMN, GOLD)
    if predictions is not None:
        rows = rows.join(predictions.select(*map(quoted, key), PROB_LABEL), on=key, how="inner")
    schema = StructType([matrix.df.schema[name] for name in key])
    schema = schema.add(GOLD, IntegerType()).add(LABEL, IntegerType())
    schema = schema.add(PROB_LABEL, label_type(model.num_classes)).add(VOTES_COLUMN, BinaryType())
    return map_batches(rows, _judge(model, len(key), is_predicted=predictions is not None), schema)


def _truth(gold: DataFrame, gold_column: str, key: list[str], model: LabelModel) -> DataFrame:
    """The key columns of rows with gold, and the position of their class."""
    refuse_missing_columns(gold, {"label_buckets": [*key, gold_column]}, "the table of gold labels")
    refuse_other_gold(gold, gold_column, model.num_classes)
    known = gold.where(quoted(gold_column) != 0)
    refuse_duplicate_keys(known, key)
    classes = F.array(*(F.lit(c).cast("int") for c in model.classes))
    position = F.array_position(classes, quoted(gold_column).cast("int")) - 1
    return known.select(*map(quoted, key), position.cast("int").alias(GOLD))


def _judge(model: LabelModel, num_keys: int, *, is_predicted: bool) -> BatchPass:
    """From key columns, votes, gold and, if there are predictions, theirs, to the columns of `judged_rows`."""

    def judge(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            packed, truths = batch.columns[num_keys : num_keys + 2]
            probs, positions = labeled(model, unpack_votes(packed, len(model.lf_names)))
            if is_predicted:
                probs = _probabilities(batch.column(num_keys + 2), model.num_classes)
                positions = label_positions(probs, np.ones(len(probs), dtype=np.bool_))
            judged = [truths, pa.array(positions.astype(np.int32)), labels_as_arrow(probs), packed]
            names = [*batch.schema.names[:num_keys], *BUCKET_COLUMNS]
            yield pa.RecordBatch.from_arrays([*batch.columns[:num_keys], *judged], names=names)

    return judge


def _probabilities(prob_label: pa.Array, num_classes: int) -> npt.NDArray[np.float64]:
    """A column of probabilities as (n, k)."""
    if pa.types.is_floating(prob_label.type):
        positive = prob_label.to_numpy(zero_copy_only=False)
        return np.stack([1 - positive, positive], axis=1)
    values: npt.NDArray[np.float64] = prob_label.flatten().to_numpy(zero_copy_only=False)
    return values.reshape(len(prob_label), num_classes)


def wrong_rows(rows: DataFrame, num_classes: int) -> DataFrame:
    """Those of `judged_rows` whose label is another class than the gold one."""
    return rows.where((F.col(LABEL) < num_classes) & (F.col(LABEL) != F.col(GOLD)))


def largest_buckets(wrong: DataFrame, num_buckets: int) -> tuple[Bucket, ...]:
    """The buckets with most rows; of equals in the order of gold, label and votes.

    Args:
        wrong: from `wrong_rows`.
        num_buckets: at most so many.
    """
    by = (GOLD, LABEL, VOTES_COLUMN)
    counted = wrong.groupBy(*by).agg(F.count(F.lit(1)).alias(_NUM_ROWS))
    with named_jobs(wrong.sparkSession, "counting wrong rows"):
        rows = counted.orderBy(F.desc(_NUM_ROWS), *by).limit(num_buckets).collect()  # num_buckets rows
    return tuple(Bucket(row[GOLD], row[LABEL], bytes(row[VOTES_COLUMN]), row[_NUM_ROWS]) for row in rows)


def bucket_samples(
    wrong: DataFrame, buckets: tuple[Bucket, ...], key: tuple[str, ...], num_rows: int
) -> DataFrame:
    """Some rows of each bucket, those with the smallest keys: the key columns and BUCKET_COLUMNS.

    Args:
        wrong: from `wrong_rows`.
        buckets: of these rows.
        key: the key columns.
        num_rows: of each bucket, at most.
    """
    by = [GOLD, LABEL, VOTES_COLUMN]
    wanted = wrong.sparkSession.createDataFrame(
        [(bucket.gold, bucket.label, bucket.votes) for bucket in buckets],
        StructType().add(GOLD, IntegerType()).add(LABEL, IntegerType()).add(VOTES_COLUMN, BinaryType()),
    )
    ranked = wrong.join(F.broadcast(wanted), on=by, how="inner").withColumn(
        _RANK, F.row_number().over(Window.partitionBy(*by).orderBy(*map(quoted, key)))
    )
    return ranked.where(F.col(_RANK) <= num_rows).select(*map(quoted, key), *BUCKET_COLUMNS)
