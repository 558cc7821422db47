"""What a model sees of a table: one feature vector or one text per data point, as a Spark column.

Shards and predictions use the same two functions, so that a model is applied to what it was trained on.
"""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, BooleanType, DataType, NumericType, StringType

from dp_spark.errors import SchemaError
from dp_spark.labels.manifest import InputKind
from dp_spark.tables import quoted, refuse_missing_columns


def kind_and_columns(features: Sequence[str] | None, text: str | None) -> tuple[InputKind, tuple[str, ...]]:
    """What a model's input is, and the columns that it is made of.

    Args:
        features: one array column or several numeric columns. Either this or `text`.
        text: one string column.

    Raises:
        ValueError: unless exactly one of the two is given.
    """
    if isinstance(features, str):
        raise ValueError(f"features is the text {features!r}: expected a list of column names.")
    if bool(features) == bool(text):
        raise ValueError(
            f"features is {features} and text is {text!r}: expected exactly one of the two. Name the feature "
            "columns, or the text column."
        )
    return ("features", tuple(features)) if features else ("text", (str(text),))


def input_column(df: DataFrame, kind: InputKind, columns: Sequence[str]) -> Column:
    """The model's input: array<float> for features, string for text.

    Args:
        df: the source table.
        kind: what the columns are.
        columns: one array column or several numeric columns; for text one string column.

    Raises:
        SchemaError: if a column is missing or of another type.
    """
    refuse_missing_columns(df, {"the end model": columns}, "the table")
    types = [df.schema[name].dataType for name in columns]
    if kind == "text":
        _refuse_unless(isinstance(types[0], StringType), columns[0], types[0], "a string")
        return quoted(columns[0])
    if len(columns) == 1 and isinstance(types[0], ArrayType):
        _refuse_unless(_is_number(types[0].elementType), columns[0], types[0], "an array of numbers")
        return quoted(columns[0]).cast("array<float>")
    for name, data_type in zip(columns, types, strict=True):
        _refuse_unless(_is_number(data_type), name, data_type, "a number (or one array of numbers for all)")
    return F.array(*[quoted(name).cast("float") for name in columns])


def num_features_of(df: DataFrame, columns: Sequence[str]) -> int:
    """d: the number of columns, or the length of the first non-null array; 0 if there is none.

    Args:
        df: the source table.
        columns: as in `input_column`.

    Raises:
        SchemaError: if a column is missing, or the first array is empty.
    """
    refuse_missing_columns(df, {"the end model": columns}, "the table")
    if not isinstance(df.schema[columns[0]].dataType, ArrayType):
        return len(columns)
    vector = quoted(columns[0])
    first = df.where(vector.isNotNull()).select(F.size(vector).alias("d")).limit(1).collect()  # one row
    if first and first[0]["d"] == 0:
        raise SchemaError(
            f"the feature column {columns[0]!r} holds an empty array: expected at least one number per data "
            "point. Compute the features, or name another column."
        )
    return int(first[0]["d"]) if first else 0


def _is_number(data_type: DataType) -> bool:
    return isinstance(data_type, (NumericType, BooleanType))


def _refuse_unless(condition: bool, name: str, data_type: DataType, expected: str) -> None:
    if not condition:
        raise SchemaError(
            f"the column {name!r} has the type {data_type.simpleString()}: expected {expected}. "
            "Name another column, or convert it."
        )
