"""What a model sees of a table, as Spark columns: a feature vector, a text, categories.

Shards and predictions use the same functions, so that a model is applied to what it was trained on.
"""

from collections.abc import Sequence
from dataclasses import replace

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, BooleanType, DataType, IntegralType, NumericType, StringType

from dp_spark.errors import SchemaError
from dp_spark.labels.input_columns import InputColumns
from dp_spark.labels.shard_rows import unchecked
from dp_spark.progress.named_jobs import named_jobs
from dp_spark.tables import quoted, refuse_missing_columns

_CATEGORIES = (StringType, BooleanType, IntegralType)


def refuse_unusable_inputs(df: DataFrame, inputs: InputColumns) -> None:
    """Refuse a table whose columns a model cannot take.

    Raises:
        SchemaError: if a column is missing or of another type.
    """
    refuse_missing_columns(df, {"the end model": inputs.names}, "the table")
    types = {name: df.schema[name].dataType for name in inputs.names}
    are_usable = [
        *((name, _are_numbers(types[name]), "a number, or an array of numbers") for name in inputs.features),
        *((name, isinstance(types[name], StringType), "a string") for name in [inputs.text] if name),
        *(
            (name, isinstance(types[name], _CATEGORIES), "a string, a boolean or an integer")
            for name in inputs.categories
        ),
    ]
    wrong = [
        f"the column {name!r} has the type {types[name].simpleString()}: expected {expected}"
        for name, is_usable, expected in are_usable
        if not is_usable
    ]
    if wrong:
        raise SchemaError(f"{'; '.join(wrong)}. Name another column, or convert it.")


def with_feature_widths(df: DataFrame, inputs: InputColumns) -> InputColumns:
    """The same columns, with how many numbers each feature column gives: an array's first non-null value tells.

    Raises:
        SchemaError: if a column is missing or of another type, or the first array of a column is empty.
    """
    refuse_unusable_inputs(df, inputs)
    widths = [_width(df, name) for name in inputs.features]
    return replace(inputs, feature_widths=tuple(widths))


def input_columns(df: DataFrame, inputs: InputColumns) -> list[Column]:
    """The parts of a model's inputs: array<float>, string, array<string>; named as `unchecked` says.

    Args:
        df: the source table.
        inputs: with the widths of its feature columns.

    Raises:
        SchemaError: if a column is missing or of another type.
    """
    refuse_unusable_inputs(df, inputs)
    made = {
        "features": lambda: _vector(df, inputs),
        "text": lambda: quoted(inputs.text or ""),
        "categories": lambda: F.array(*[quoted(name).cast("string") for name in inputs.categories]),
    }
    return [made[part]().alias(unchecked(part)) for part in inputs.parts]


def first_array_length(df: DataFrame, column: str) -> int | None:
    """The length of the first array of a column that is not null, or None if there is none."""
    array = quoted(column)
    found = df.where(array.isNotNull()).select(F.size(array).alias("d")).limit(1)
    with named_jobs(df.sparkSession, f"looking at the first array of {column}"):
        first = found.collect()  # one row
    return int(first[0]["d"]) if first else None


def _width(df: DataFrame, name: str) -> int:
    if not isinstance(df.schema[name].dataType, ArrayType):
        return 1
    width = first_array_length(df, name)
    if width == 0:
        raise SchemaError(
            f"the feature column {name!r} holds an empty array: expected at least one number per data "
            "point. Compute the features, or name another column."
        )
    return width or 0


def _vector(df: DataFrame, inputs: InputColumns) -> Column:
    """All feature columns in one array; in a mixture, an array of another length than its own counts as empty."""
    names, types = inputs.features, [df.schema[name].dataType for name in inputs.features]
    if len(names) == 1 and isinstance(types[0], ArrayType):
        return quoted(names[0]).cast("array<float>")
    if not any(isinstance(data_type, ArrayType) for data_type in types):
        return F.array(*[quoted(name).cast("float") for name in names])
    return F.concat(*_arrays(names, types, inputs.feature_widths))


def _arrays(names: Sequence[str], types: Sequence[DataType], widths: Sequence[int]) -> list[Column]:
    nothing = F.array().cast("array<float>")
    return [
        F.when(F.size(quoted(name)) == width, quoted(name).cast("array<float>")).otherwise(nothing)
        if isinstance(data_type, ArrayType)
        else F.array(quoted(name).cast("float"))
        for name, data_type, width in zip(names, types, widths, strict=True)
    ]


def _are_numbers(data_type: DataType) -> bool:
    element = data_type.elementType if isinstance(data_type, ArrayType) else data_type
    return isinstance(element, (NumericType, BooleanType))
