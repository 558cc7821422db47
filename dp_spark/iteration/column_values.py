"""What rows can share: tokens of texts, values of categories, ranges of numbers, as (column, value) pairs."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Literal

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, IntegralType, NumericType, StringType, StructField

from dp_spark.end_model.vocabulary import tokens
from dp_spark.progress.named_jobs import named_jobs
from dp_spark.tables import quoted

MIN_WORDS = 1.5  # on average: a text, not a category
MAX_VALUES = 20  # of an integer column that is a category; more are ranges
NUM_RANGES = 10  # between quantiles, of as many rows each
MAX_CHARACTERS = 10_000  # of a text: what comes later is not looked at
_WORDS = (
    r"^[^ ]*[\p{L}\p{N}][^ ]*( [^ ]*[\p{L}\p{N}][^ ]*)?$"  # one or two tokens, each with a letter or digit
)
_ACCURACY = 1000  # of quantiles: their rank is wrong by at most n / 1000
_PAIRS = "array<struct<column:int,value:string>>"

Kind = Literal["tokens", "values", "ranges"]


@dataclass(frozen=True)
class ValueColumn:
    """A column whose values are counted.

    Attributes:
        name: of the column.
        kind: "tokens" and pairs of neighbouring ones of a text, "values", or "ranges" of a number.
        edges: where ranges begin, but for the first one; empty for other kinds.
    """

    name: str
    kind: Kind
    edges: tuple[float, ...] = ()

    def pairs(self, position: int) -> Column:
        """The distinct (column, value) pairs of a row as an array; `position` stands for this column."""
        column = quoted(self.name)
        if self.kind == "tokens":
            found = F.array_distinct(tokens(F.substring(column, 1, MAX_CHARACTERS), 2))
            values = F.coalesce(F.filter(found, lambda token: token.rlike(_WORDS)), F.array())
        elif self.kind == "values":
            values = F.array(column.cast("string"))
        else:
            values = F.array(
                reduce(add, ((column >= edge).cast("int") for edge in self.edges)).cast("string")
            )
        named = F.transform(
            values, lambda value: F.struct(F.lit(position).alias("column"), value.alias("value"))
        )
        return named.cast(_PAIRS)

    def title(self, value: str | None) -> str:
        """What texts call a value of a pair; None is null."""
        if value is None:
            return "null"
        if self.kind != "ranges":
            return value
        i = int(value)
        low, high = (f"{edge:g}" for edge in (self.edges[i - 1], self.edges[min(i, len(self.edges) - 1)]))
        if i == 0:
            return f"below {high}"
        return f"{low} or more" if i == len(self.edges) else f"{low} to below {high}"


def usable_columns(points: DataFrame, names: Sequence[str]) -> list[str]:
    """Those of the columns that hold texts, numbers or booleans."""
    types = (StringType, NumericType, BooleanType)
    return [name for name in names if isinstance(points.schema[name].dataType, types)]


def value_columns(points: DataFrame, names: Sequence[str]) -> tuple[ValueColumn, ...]:
    """How the values of each column are to be counted, decided from its rows in one pass.

    Args:
        points: the table, or a sample of it.
        names: of `usable_columns`.
    """
    fields = [points.schema[name] for name in names]
    looks = [look.alias(f"c{i}") for i, look in enumerate(map(_look, fields))]
    if not looks:
        return ()
    with named_jobs(points.sparkSession, "looking at the columns"):
        (found,) = points.agg(*looks).collect()  # one row
    return tuple(_planned(field, value) for field, value in zip(fields, found, strict=True))


def _look(field: StructField) -> Column:
    """What decides the kind: of texts the mean number of words, of numbers how many distinct ones, and quantiles."""
    column, kind = quoted(field.name), field.dataType
    if isinstance(kind, StringType):
        return F.avg(F.size(F.split(F.trim(F.substring(column, 1, MAX_CHARACTERS)), r"\s+")))
    if isinstance(kind, BooleanType):
        return F.lit(None)
    quantiles = [F.lit(i / NUM_RANGES) for i in range(1, NUM_RANGES)]
    return F.struct(
        F.approx_count_distinct(column).alias("num_values"),
        F.percentile_approx(column.cast("double"), F.array(*quantiles), _ACCURACY).alias("edges"),
    )


def _planned(field: StructField, look: object) -> ValueColumn:
    if isinstance(field.dataType, StringType):
        is_text = isinstance(look, float) and look > MIN_WORDS
        return ValueColumn(field.name, "tokens" if is_text else "values")
    if not isinstance(look, Row) or look["edges"] is None:
        return ValueColumn(field.name, "values")
    if isinstance(field.dataType, IntegralType) and look["num_values"] <= MAX_VALUES:
        return ValueColumn(field.name, "values")
    return ValueColumn(field.name, "ranges", tuple(sorted(set(look["edges"]))))
