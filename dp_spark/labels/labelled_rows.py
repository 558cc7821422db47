"""Data points joined to their labels: which rows a training set takes, how many, and in which order."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, NumericType

from dp_spark.errors import SchemaError
from dp_spark.labels.input_columns import InputColumns
from dp_spark.labels.inputs import first_array_length, input_columns
from dp_spark.labels.label import NUM_VOTES
from dp_spark.labels.manifest import LABEL_COLUMN, WEIGHT_COLUMN, Filters
from dp_spark.labels.shard_rows import unchecked
from dp_spark.progress.named_jobs import named_jobs
from dp_spark.tables import quoted, refuse_missing_columns, table_digest

SHARD_BYTES = (
    128 << 20
)  # of inputs in memory that a shard holds at most, unless the number of shards is given

_LABEL, _WEIGHT = unchecked(LABEL_COLUMN), unchecked(WEIGHT_COLUMN)


@dataclass(frozen=True)
class Selection:
    """Which rows of the join to take.

    Attributes:
        key: the columns that identify a data point in both tables.
        label_column: of the label table.
        drop_uncovered: leave out data points without a vote.
        min_confidence: leave out data points whose largest class probability is below this.
        weight: a column of either table, or None.

    Raises:
        ValueError: if `min_confidence` is not in [0, 1].
    """

    key: tuple[str, ...]
    label_column: str
    drop_uncovered: bool
    min_confidence: float
    weight: str | None

    def __post_init__(self) -> None:
        if not 0 <= self.min_confidence <= 1:
            raise ValueError(f"min_confidence is {self.min_confidence}: expected 0 to 1. Correct it.")


@dataclass(frozen=True)
class Plan:
    """The rows of a training set, how many they are, and in how many files they go."""

    rows: DataFrame
    num_rows: int
    num_shards: int
    filters: Filters


def labelled_rows(
    data_points: DataFrame, labels: DataFrame, inputs: InputColumns, selection: Selection
) -> tuple[DataFrame, int]:
    """The inner join by key: key, unchecked inputs, label and weight, perhaps `num_votes`; and k.

    Raises:
        SchemaError: if columns are missing or of other types.
    """
    key, label_column = selection.key, selection.label_column
    refuse_missing_columns(data_points, {"the join": key}, "the table of data points")
    refuse_missing_columns(labels, {"the join": key, "training": [label_column]}, "the label table")
    num_classes = _num_classes(labels, label_column)
    label_type = "double" if num_classes == 2 else "array<double>"
    keys = [quoted(name) for name in key]
    weighs_points, weights = _weights(data_points, labels, selection)
    left = data_points.select(*keys, *input_columns(data_points, inputs), *(weights if weighs_points else []))
    right = labels.select(
        *keys,
        quoted(label_column).cast(label_type).alias(_LABEL),
        *([] if weighs_points else weights),
        *([quoted(NUM_VOTES)] if NUM_VOTES in labels.columns else []),
    )
    return left.join(right, on=list(key), how="inner"), num_classes


def plan_rows(
    joined: DataFrame, inputs: InputColumns, selection: Selection, num_shards: int | None, num_workers: int
) -> Plan:
    """Count, in one pass, the rows that are taken and left out, and say in how many files they go.

    The number of files, unless given, is the number of workers, or what keeps a file below `SHARD_BYTES`
    of inputs. It depends on the rows and the settings alone.

    Raises:
        ValueError: if a number is below 1.
        SchemaError: if no row is left.
    """
    for name, value in (
        ("num_shards", 1 if num_shards is None else num_shards),
        ("num_workers", num_workers),
    ):
        if value < 1:
            raise ValueError(f"{name} is {value}: expected at least 1.")
    is_covered, is_confident, has_weight = _conditions(joined, selection)
    taken = is_covered & is_confident & has_weight
    sums = joined.agg(
        F.count(F.lit(1)).alias("joined"),
        F.count_if(~is_covered).alias("uncovered"),
        F.count_if(is_covered & ~is_confident).alias("below"),
        F.count_if(is_covered & is_confident & ~has_weight).alias("weightless"),
        F.sum(F.when(taken, _string_bytes(inputs)).otherwise(0)).alias("string_bytes"),
    )
    with named_jobs(joined.sparkSession, "counting the rows to train on"):
        (row,) = sums.collect()  # one row
    filters = Filters(
        selection.drop_uncovered, selection.min_confidence, row["uncovered"], row["below"], row["weightless"]
    )
    num_rows = row["joined"] - row["uncovered"] - row["below"] - row["weightless"]
    if num_rows == 0:
        raise SchemaError(_no_rows(row["joined"], filters))
    num_bytes = num_rows * 4 * inputs.num_features + (row["string_bytes"] or 0)
    files = num_shards or max(num_workers, -(-num_bytes // SHARD_BYTES))
    return Plan(joined.where(taken), num_rows, files, filters)


def ordered(plan: Plan, key: Sequence[str], seed: int) -> DataFrame:
    """The rows in files, in the total order of a hash of key and seed."""
    keys = [quoted(name) for name in key]
    order = [F.xxhash64(*keys, F.lit(seed)), *keys]
    return plan.rows.repartitionByRange(plan.num_shards, *order).sortWithinPartitions(*order).drop(NUM_VOTES)


def content_id(joined: DataFrame, settings: str) -> str:
    """Identifies the rows, in any order, and the settings; one pass over the rows."""
    num_rows, digest = table_digest(joined)
    return hashlib.sha256(f"{num_rows} {digest} {settings}".encode()).hexdigest()


def _num_classes(labels: DataFrame, label_column: str) -> int:
    data_type = labels.schema[label_column].dataType
    if isinstance(data_type, NumericType):
        return 2
    if not isinstance(data_type, ArrayType) or not isinstance(data_type.elementType, NumericType):
        raise SchemaError(
            f"the label column {label_column!r} has the type {data_type.simpleString()}: expected a number, "
            "P(y=+1), or an array of numbers, one for each class. Name another column."
        )
    num_classes = first_array_length(labels, label_column)
    if num_classes is not None and num_classes <= 2:
        raise SchemaError(
            f"the label column {label_column!r} holds arrays of {num_classes} probabilities: expected more than "
            "two. Give labels of two classes as one number, P(y=+1)."
        )
    return num_classes or 3  # all labels are null, and the first one will be refused


def _weights(data_points: DataFrame, labels: DataFrame, selection: Selection) -> tuple[bool, list[Column]]:
    """Whether the weights are in the source table, and their column, if rows are weighed."""
    name = selection.weight
    if name is None:
        return False, []
    tables = [table for table in (data_points, labels) if name in table.columns]
    if len(tables) != 1:
        where = "both tables" if tables else "neither the table of data points nor the label table"
        raise SchemaError(
            f"the weight column {name!r} is in {where}: expected it in one of them. Rename or add a column."
        )
    data_type = tables[0].schema[name].dataType
    if not isinstance(data_type, NumericType):
        raise SchemaError(
            f"the weight column {name!r} has the type {data_type.simpleString()}: expected a number. Convert it."
        )
    return tables[0] is data_points, [quoted(name).cast("double").alias(_WEIGHT)]


def _conditions(joined: DataFrame, selection: Selection) -> tuple[Column, Column, Column]:
    """Covered, confident, weighed; what is null or NaN counts as true, so that the check of rows finds it."""
    is_covered = F.lit(True)
    if selection.drop_uncovered and NUM_VOTES in joined.columns:
        is_covered = F.coalesce(F.col(NUM_VOTES) != 0, F.lit(True))
    label = F.col(_LABEL)
    is_binary = not isinstance(joined.schema[_LABEL].dataType, ArrayType)
    largest = F.greatest(label, 1 - label) if is_binary else F.array_max(label)
    is_confident = F.coalesce(largest >= selection.min_confidence, F.lit(True))
    has_weight = F.coalesce(F.col(_WEIGHT) != 0, F.lit(True)) if selection.weight else F.lit(True)
    return is_covered, is_confident, has_weight


def _string_bytes(inputs: InputColumns) -> Column:
    """The bytes of a row's strings."""
    num_bytes = F.lit(0)
    if inputs.text:
        num_bytes = num_bytes + F.coalesce(F.octet_length(F.col(unchecked("text"))), F.lit(0))
    if inputs.categories:
        joined = F.array_join(F.col(unchecked("categories")), "")
        num_bytes = num_bytes + F.coalesce(F.octet_length(joined), F.lit(0))
    return num_bytes


def _no_rows(num_joined: int, filters: Filters) -> str:
    reason = "no data point has a row in the label table"
    if filters.num_uncovered == num_joined > 0:
        reason = f"all {num_joined} data points that have a label are without a vote"
    elif num_joined:
        left_out = {
            "without a vote": filters.num_uncovered,
            f"below min_confidence={filters.min_confidence:g}": filters.num_below_confidence,
            "of weight 0": filters.num_weightless,
        }
        parts = [f"{count} {what}" for what, count in left_out.items() if count]
        reason = f"of {num_joined} data points that have a label, {' and '.join(parts)} were left out"
    return (
        f"the training set is empty: {reason}. Write "
        "labeling functions that vote on more data points, loosen the filters, or check that both tables have "
        "the same keys."
    )
