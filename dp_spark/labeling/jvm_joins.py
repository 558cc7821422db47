"""Lookups inside Spark: the tables that labeling functions look values up in, joined to the data points.

Every table is joined by key, keeps all data points and adds none: it has one row per key.
"""

from collections.abc import Sequence

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_type
from pyspark.sql.types import DateType, IntegralType

from dp_spark.errors import SchemaError
from dp_spark.labeling.labeling_function import LabelingFunction
from dp_spark.labeling.rules import ColumnRule, JoinedTable, LookupRule
from dp_spark.labeling.votes import Classes
from dp_spark.tables import quoted

_JOINED = "_dp_spark_joined_"


def has_join(lf: LabelingFunction) -> bool:
    """Whether a labeling function joins a table, of whatever size."""
    return isinstance(lf.rule, LookupRule) or joins_large_tables([lf])


def joins_large_tables(lfs: Sequence[LabelingFunction]) -> bool:
    """Whether a join may shuffle the data points."""
    return any(isinstance(lf.rule, ColumnRule) and lf.rule.joined is not None for lf in lfs)


def with_joins(
    df: DataFrame, lfs: Sequence[LabelingFunction], classes: Classes
) -> tuple[DataFrame, list[Column]]:
    """The table with all tables that are looked up at its side, each once, and the expressions of the rules on it.

    Args:
        df: one row per data point.
        lfs: labeling functions that run inside Spark.
        classes: of the task.

    Raises:
        ValueError: if values are looked up in a column of another type.
        SchemaError: if a table is joined to a column of another type.
    """
    rules = {lf.name: _as_column_rule(df, lf, classes) for lf in lfs}
    names: dict[int, str] = {}
    expressions: list[Column] = []
    for lf_name, rule in rules.items():
        table = rule.joined
        if table is not None and id(table) not in names:
            names[id(table)] = f"{_JOINED}{len(names)}"
            df = _joined(df, table, names[id(table)], lf_name)
        name = "" if table is None else names[id(table)]
        own = rule.expression
        expressions.append(F.expr(own.format(joined=name)) if isinstance(own, str) else own)
    return df, expressions


def _as_column_rule(df: DataFrame, lf: LabelingFunction, classes: Classes) -> ColumnRule:
    if isinstance(lf.rule, ColumnRule):
        return lf.rule
    assert isinstance(lf.rule, LookupRule)  # noqa: S101  (for the type checker: see runs_in_spark)
    return ColumnRule("{joined}", _table_of(df, lf, lf.rule, classes))


def _table_of(df: DataFrame, lf: LabelingFunction, rule: LookupRule, classes: Classes) -> JoinedTable:
    data_type = df.schema[rule.column].dataType
    try:
        values = pa.array(list(rule.votes), to_arrow_type(data_type))
        if isinstance(data_type, (IntegralType, DateType)):
            _refuse_rounded(list(rule.votes), values.to_pylist())
    except (
        pa.ArrowInvalid,
        pa.ArrowTypeError,
        pa.ArrowNotImplementedError,
        OverflowError,
        TypeError,
    ) as problem:
        raise ValueError(
            f"labeling function {lf.name!r} looks up values such as {next(iter(rule.votes))!r} in the column "
            f"{rule.column!r} of type {data_type.simpleString()}: {problem}. Expected values of the "
            "column's type."
        ) from problem
    votes = pa.array([classes.vote_of(choice) for choice in rule.votes.values()], pa.int8())
    table = pa.table({"lookup_key": values, "lookup_vote": votes})
    pairs = F.broadcast(df.sparkSession.createDataFrame(table))
    return JoinedTable(pairs, {"lookup_key": rule.column}, "lookup_vote")


def _refuse_rounded(given: Sequence[object], stored: Sequence[object]) -> None:
    for value, kept in zip(given, stored, strict=True):
        if value != kept:
            raise TypeError(f"{value!r} would become {kept!r}")


def _joined(df: DataFrame, table: JoinedTable, name: str, lf_name: str) -> DataFrame:
    condition = F.lit(True)
    columns = [quoted(table.value).alias(name)]
    for column, of_points in table.on.items():
        mine, theirs = df.schema[of_points].dataType, table.df.schema[column].dataType
        if mine != theirs and not (isinstance(mine, IntegralType) and isinstance(theirs, IntegralType)):
            raise SchemaError(
                f"labeling function {lf_name!r} joins the column {of_points!r} of type {mine.simpleString()} with "
                f"values of type {theirs.simpleString()}: expected one type. Cast one of them."
            )
        renamed = f"{name}_{column}"
        columns.append(quoted(column).alias(renamed))
        condition = condition & (quoted(of_points) == quoted(renamed))
    return df.join(table.df.select(*columns), on=condition, how="left")
