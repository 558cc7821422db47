"""One data point by its key, as a person types it: the filter is pushed down to the files."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import reduce
from operator import and_

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    DayTimeIntervalType,
    MapType,
    StructField,
    StructType,
    TimestampNTZType,
    TimestampType,
    YearMonthIntervalType,
)

from dp_spark.iteration.label_classes import LabeledVotes
from dp_spark.iteration.plain_values import key_text
from dp_spark.label_model.explanation import Explanation
from dp_spark.labeling.matrix import LabelMatrix
from dp_spark.labeling.packing import VOTES_COLUMN, votes_of_value
from dp_spark.progress.named_jobs import named_jobs
from dp_spark.tables import NUM_EXAMPLES, quoted

Key = Mapping[str, object]  # the value of each key column, of its type or as text
_TIMES = (TimestampType, TimestampNTZType, DayTimeIntervalType, YearMonthIntervalType)


def explain_label(labeled_votes: LabeledVotes, key: Key) -> Explanation:
    """Why one data point has its label: what the class balance and each LF add to its log-odds.

    Args:
        labeled_votes: a written label matrix, and its label model.
        key: the value of each key column, such as {"id": 7}; texts are cast to the column's type, hexadecimal digits
            to bytes.

    Raises:
        ValueError: if key columns are missing or unknown, a value does not parse, or there is no such data point.
    """
    return labeled_votes.model.explain(votes_of_value(point_at(labeled_votes.matrix, key)[VOTES_COLUMN]))


def point_at(label_matrix: LabelMatrix, key: Key) -> Row:
    """The key columns and packed votes of one data point; raises as `explain_label`."""
    found = row_at(label_matrix.df, label_matrix.key, key)
    if found is None:
        keys = label_matrix.df.select(*map(quoted, label_matrix.key)).limit(NUM_EXAMPLES)
        with named_jobs(keys.sparkSession, "looking at some keys"):
            rows = times_as_text(keys).collect()
        examples = "; ".join(key_text(row.asDict()) for row in rows)
        raise ValueError(
            f"the label matrix has no data point with {key_text(key)}: it has, for instance, {examples}. Correct the "
            "key, or apply the labeling functions to a table that holds it."
        )
    return found


def row_at(df: DataFrame, key_columns: Sequence[str], key: Key) -> Row | None:
    """The row of a table with this key, as of `times_as_text`, or None; raises as `explain_label` if it is no key."""
    with named_jobs(df.sparkSession, "finding a row"):
        rows = times_as_text(df.where(_is_at(df, key_columns, key)).limit(1)).collect()
    return rows[0] if rows else None


def times_as_text(df: DataFrame) -> DataFrame:
    """The table with times as texts in the session's time zone, as they can be typed; Python has the driver's zone."""
    return df.select(
        *(
            quoted(field.name).cast("string").alias(field.name)
            if isinstance(field.dataType, _TIMES)
            else quoted(field.name)
            for field in df.schema
        )
    )


def key_of_texts(key_columns: Sequence[str], values: Sequence[str]) -> dict[str, object]:
    """The key that was typed, one value for each key column in its order.

    Raises:
        ValueError: if there are more or fewer values.
    """
    if len(values) != len(key_columns):
        raise ValueError(
            f"the key is {list(values)}, {len(values)} value(s): expected {len(key_columns)}, one for each of the key "
            f"columns {list(key_columns)} in this order. Separate them by spaces, and quote those that hold spaces."
        )
    return dict(zip(key_columns, values, strict=True))


def _is_at(df: DataFrame, key_columns: Sequence[str], key: Key) -> Column:
    if set(key) != set(key_columns):
        raise ValueError(
            f"the key names {sorted(key)}: expected a value for each of the key columns {list(key_columns)}."
        )
    fields = [df.schema[name] for name in key_columns]
    _refuse_unparsed(df, fields, key)
    return reduce(and_, (quoted(field.name) == _typed(field, key) for field in fields))


def _typed(field: StructField, key: Key) -> Column:
    """The value of a key column; null if it does not parse."""
    value = key[field.name]
    if isinstance(value, str) and isinstance(field.dataType, BinaryType):
        return F.try_to_binary(F.lit(value), F.lit("hex"))
    if isinstance(value, datetime) and isinstance(field.dataType, TimestampNTZType):
        return F.lit(value.isoformat()).try_cast(
            field.dataType
        )  # a literal would be of the driver's time zone
    return F.lit(value).try_cast(field.dataType)


def _refuse_unparsed(df: DataFrame, fields: Sequence[StructField], key: Key) -> None:
    nested = [f.name for f in fields if isinstance(f.dataType, (ArrayType, MapType, StructType))]
    if nested:
        raise ValueError(
            f"the key columns {nested} hold arrays, maps or structures: expected values that can be typed. Find the "
            "data point with Spark: label_matrix.df.where(...)."
        )
    values = [_typed(field, key).isNull().alias(f"c{i}") for i, field in enumerate(fields)]
    with named_jobs(df.sparkSession, "reading the key"):
        (is_null,) = df.sparkSession.range(1).select(*values).collect()
    bad = [
        f"{field.name}={key[field.name]!r} is no {field.dataType.simpleString()}"
        for field, wrong in zip(fields, is_null, strict=True)
        if wrong
    ]
    if bad:
        raise ValueError(
            f"{'; '.join(bad)}: expected values of the types of the key columns. A data point's key is never null."
        )
