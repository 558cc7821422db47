"""The user's table as a DataFrame: Parquet, CSV or JSON lines.

CSV is read strictly, as spreadsheets and pandas write it: UTF-8, a first line with the names of the columns, commas,
texts in quotes where they hold commas, line breaks or (doubled) quotes. A row of another width, or a value of another
type, is an error, not a null.
"""

import logging

from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import DataFrame, DataFrameReader, SparkSession
from pyspark.sql.types import StructType

from dp_spark.errors import ConfigError, SchemaError
from dp_spark.table_config import CSV, JSON, PARQUET
from dp_spark.worker_errors import first_line, translated_errors

logger = logging.getLogger(__name__)

_CSV_OPTIONS = {
    "header": "true",
    "enforceSchema": "false",  # the names in the first line of every file have to be those of the schema
    "multiLine": "true",  # a text may hold line breaks; a file is then read by one task
    "escape": '"',
    "columnPruning": "false",  # a row of another width is found whichever columns are read
}
_UNNAMED = "_c0"  # what Spark calls the first column if it has no name


def read_source(
    spark: SparkSession,
    path: str,
    source_format: str,
    ddl: str | None = None,
    schema: StructType | None = None,
) -> DataFrame:
    """The rows of a table; of CSV and JSON lines whose types are not given, one pass over them finds the types.

    Args:
        spark: the session.
        path: a file or directory that is there.
        source_format: "parquet", "csv" or "json".
        ddl: the columns and their types as SQL writes them, such as "id BIGINT, text STRING".
        schema: the same, if an earlier pass has found it.

    Raises:
        ConfigError: if `ddl` is none.
        SchemaError: if the files are not of that format.
    """
    reader = spark.read
    if source_format == CSV:
        reader = reader.options(**_CSV_OPTIONS)
    if source_format != PARQUET:
        reader = _typed(reader.option("mode", "FAILFAST"), source_format, path, ddl, schema)
    try:
        with translated_errors(lambda failure: _not_of_format(path, source_format, failure)):
            points = reader.format(source_format).load(path)
    except AnalysisException as problem:
        raise _not_of_format(path, source_format, str(problem)) from problem
    _refuse_nameless(points, path, source_format)
    if source_format != PARQUET and ddl is None and schema is None:
        logger.info("to save the pass over %s, add to [table]: schema = %r", path, _ddl(points.schema))
    return points


def _typed(
    reader: DataFrameReader, source_format: str, path: str, ddl: str | None, schema: StructType | None
) -> DataFrameReader:
    if schema is None and ddl is None:
        logger.info("finding the types of %s: one pass", path)
        return reader.option("inferSchema", "true") if source_format == CSV else reader
    try:
        return reader.schema(schema or str(ddl))
    except ParseException as problem:
        raise ConfigError(
            f"table.schema is {ddl!r}: {first_line(str(problem))} Expected columns and types as SQL writes them, such "
            "as 'id BIGINT, text STRING, gold INT'."
        ) from problem


def _refuse_nameless(points: DataFrame, path: str, source_format: str) -> None:
    if not points.columns:
        raise SchemaError(f"{path} holds no columns: expected a table as {source_format}. Write it first.")
    if source_format == CSV and _UNNAMED in points.columns:
        raise SchemaError(
            f"the first column of {path} has no name in the first line of the file: expected a name for every column. "
            "pandas writes its index so: pass index=False, or index_label='id' if it identifies the rows."
        )


def _ddl(schema: StructType) -> str:
    """The columns and their types as SQL writes them."""
    names = [field.name.replace("`", "``") for field in schema]
    return ", ".join(
        f"`{name}` {field.dataType.simpleString()}" for name, field in zip(names, schema, strict=True)
    )


def _not_of_format(path: str, source_format: str, failure: str) -> SchemaError:
    expected = {
        PARQUET: "a Parquet table. If it is CSV or JSON lines, say so with table.format",
        CSV: "CSV in UTF-8 with the names of the columns in its first line, or name its columns in table.schema",
        JSON: "JSON lines: one object on every line",
    }
    return SchemaError(
        f"table.path: {path} cannot be read as {source_format}: {first_line(failure)} Expected "
        f"{expected[source_format]}."
    )
