"""Whether every row has a key of its own and inputs that a model can take; each check is a pass over the table."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType

from dp_spark.errors import SchemaError
from dp_spark.labels.input_columns import InputColumns
from dp_spark.labels.inputs import with_feature_widths
from dp_spark.progress.named_jobs import named_jobs
from dp_spark.tables import quoted

_INFINITY = float("inf")


def refuse_bad_inputs(points: DataFrame, inputs: InputColumns) -> None:
    """Refuse rows whose inputs are null or not finite, or arrays of another length than the first.

    Raises:
        SchemaError: saying in how many rows, for every column.
    """
    widths = dict(zip(inputs.features, with_feature_widths(points, inputs).feature_widths, strict=True))
    bad = {name: _is_bad_feature(points, name, width) for name, width in widths.items()}
    others = [*([inputs.text] if inputs.text else []), *inputs.categories]
    bad |= {name: quoted(name).isNull() for name in others}
    counts = [
        F.count_if(F.coalesce(is_bad, F.lit(True))).alias(f"c{i}") for i, is_bad in enumerate(bad.values())
    ]
    with named_jobs(points.sparkSession, "looking at the inputs of the end model"):
        (row,) = points.agg(*counts).collect()  # one row
    wrong = [f"{name!r} in {count:,} rows" for name, count in zip(bad, row, strict=True) if count]
    if wrong:
        raise SchemaError(
            "the end model's inputs are null, not finite, or of another length than in the first row: "
            f"{'; '.join(wrong)}. Expected a value in every row. "
            "Fill it in (an empty text, a category 'unknown', 0), or remove the rows."
        )


def _is_bad_feature(points: DataFrame, name: str, width: int) -> Column:
    if not isinstance(points.schema[name].dataType, ArrayType):
        return _is_bad_number(quoted(name))
    return (F.size(quoted(name)) != width) | F.exists(quoted(name), _is_bad_number)


def _is_bad_number(value: Column) -> Column:
    number = value.cast("float")
    return value.isNull() | F.isnan(number) | (F.abs(number) == _INFINITY)
