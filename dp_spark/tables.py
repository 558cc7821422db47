"""Checks on tables that several stages share: columns and keys."""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from dp_spark.errors import SchemaError

NUM_EXAMPLES = 5  # how many offending keys an error shows


def quoted(column: str) -> Column:
    """A column by its exact name, which may hold dots or backticks."""
    return F.col("`" + column.replace("`", "``") + "`")


def refuse_missing_columns(df: DataFrame, wanted: dict[str, Sequence[str]], table: str) -> None:
    """Refuse a table that lacks columns, naming all of them and who wants them.

    Args:
        df: the table.
        wanted: columns by who reads them.
        table: what the error calls the table.

    Raises:
        SchemaError: if a column is not there.
    """
    missing = [f"{who} reads {c!r}" for who, columns in wanted.items() for c in columns if c not in df.columns]
    if missing:
        raise SchemaError(
            f"{table} lacks columns: {'; '.join(missing)}. It has {df.columns}. "
            "Correct the name, or add the column to the table."
        )


def refuse_duplicate_keys(df: DataFrame, key: Sequence[str]) -> None:
    """Refuse a table in which a key is null or occurs twice.

    Keys are first grouped by a 64-bit hash, which moves 8 bytes a row whatever the key; only keys whose
    hashes meet are compared themselves.

    Raises:
        SchemaError: naming some of the keys.
    """
    columns = [quoted(name) for name in key]
    null = df.where(_any_null(columns)).select(*columns).limit(NUM_EXAMPLES).collect()
    if null:
        raise SchemaError(
            f"the key {list(key)} is null in some rows, such as {[row.asDict() for row in null]}. "
            "A data point needs a key: remove these rows or fill it in."
        )
    hashes = df.groupBy(F.xxhash64(*columns).alias("hash")).count().where("count > 1").select("hash")
    suspects = df.withColumn("hash", F.xxhash64(*columns)).join(hashes, on="hash", how="left_semi")
    twice = suspects.groupBy(*columns).count().where("count > 1").limit(NUM_EXAMPLES).collect()
    if twice:
        examples = [{name: row[name] for name in key} for row in twice]
        raise SchemaError(
            f"the key {list(key)} occurs more than once, such as {examples}. Labels are joined to data "
            "points by key: choose columns that identify a row, or remove the duplicates."
        )


def _any_null(columns: Sequence[Column]) -> Column:
    condition = F.lit(False)
    for column in columns:
        condition = condition | column.isNull()
    return condition
