"""Tables that stages write and read, and the checks on columns and keys that they share."""

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence

import pyarrow as pa
from pyspark.sql import Column, DataFrame, Observation
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from dp_spark.errors import SchemaError
from dp_spark.progress.named_jobs import named_jobs
from dp_spark.publishing import publish
from dp_spark.storage import Storage, read_description, write_description
from dp_spark.worker_errors import Investigate, translated_errors
from dp_spark.worker_reuse import keep_spark_archives

logger = logging.getLogger(__name__)

BatchPass = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]  # what mapInArrow takes

NUM_EXAMPLES = 5  # how many offending keys an error shows
_HASH, _COUNT = "_dp_spark_hash", "_dp_spark_count"  # beside the columns of a user's table


def write_table(
    df: DataFrame,
    path: str,
    storage: Storage,
    *,
    kind: str,
    description: dict[str, object],
    key: Sequence[str],
    overwrite: bool = False,
    examine: Callable[[DataFrame, int], dict[str, object]] | None = None,
    investigate: Investigate | None = None,
) -> int:
    """Write a table with one row per key as Parquet, check it, publish it, and return its number of rows.

    The rows on storage are compared with the rows computed, and the keys are checked, before the result
    appears at `path`; a file that says what it is is written last.

    Args:
        df: the table.
        path: a directory, on any file system that Spark reaches.
        storage: the file systems.
        kind: what the table is, such as "label matrix".
        description: what else `read_table` gives back, in JSON's types.
        key: the columns that identify a row.
        overwrite: replace a result that is there.
        examine: looks at the table on storage and its number of rows before it is published; returns more
            of the description, or raises.
        investigate: finds out more about a failure of the write, as of `translated_errors`.

    Raises:
        SchemaError: if the table is empty, or keys are null or occur twice; nothing is left at `path`.
        OutputExistsError: if `path` is there and `overwrite` is false.
    """
    with publish(storage, path, overwrite=overwrite) as staged:
        seen = Observation()
        observed = df.observe(seen, F.count(F.lit(1)).alias("num_rows"))
        with translated_errors(investigate), named_jobs(storage.spark, f"writing the {kind}"):
            observed.write.parquet(staged)
        with named_jobs(storage.spark, f"counting the rows of the {kind} on storage"):
            written = storage.spark.read.parquet(staged)
            num_rows = written.count()
        if num_rows == 0:
            raise SchemaError(
                f"the {kind} is empty: the table it was made from holds no data points. Check its path "
                "and filters."
            )
        if num_rows != seen.get["num_rows"]:
            raise SchemaError(
                f"the {kind} has {num_rows} rows on storage of {seen.get['num_rows']} computed: expected "
                "all. Nothing was published; run again."
            )
        content = {"kind": kind, "num_data_points": num_rows, "key": list(key), **description}
        if examine is not None:
            content.update(examine(written, num_rows))
        refuse_duplicate_keys(written, key)
        write_description(storage, staged, content)
    logger.info("wrote %s: n=%d to %s", kind, num_rows, path)
    return num_rows


def read_table(storage: Storage, path: str, kind: str) -> tuple[DataFrame, dict[str, object]]:
    """The table that `write_table` wrote, and its description.

    Raises:
        MissingResultError: if there is none of this kind, or its write did not finish.
    """
    description = read_description(storage, path, kind)
    with named_jobs(storage.spark, f"opening the {kind}"):
        return storage.spark.read.parquet(path), description


def quoted(column: str) -> Column:
    """A column by its exact name, which may hold dots or backticks."""
    return F.col("`" + column.replace("`", "``") + "`")


def map_batches(df: DataFrame, batch_pass: BatchPass, schema: StructType | str) -> DataFrame:
    """`df.mapInArrow`, which itself refuses columns with a dot in their name, and starts slowly (Spark 4.1)."""
    names = df.columns
    numbered = df.select(*(quoted(name).alias(f"c{i}") for i, name in enumerate(names)))

    def with_names(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        try:
            yield from batch_pass(pa.RecordBatch.from_arrays(batch.columns, names=names) for batch in batches)
        finally:
            keep_spark_archives()

    return numbered.mapInArrow(with_names, schema)


def refuse_missing_columns(df: DataFrame, wanted: dict[str, Sequence[str]], table: str) -> None:
    """Refuse a table that lacks columns, naming all of them and who wants them.

    Args:
        df: the table.
        wanted: columns by who reads them.
        table: what the error calls the table.

    Raises:
        SchemaError: if a column is not there.
    """
    missing = [
        f"{who} reads {c!r}" for who, columns in wanted.items() for c in columns if c not in df.columns
    ]
    if missing:
        raise SchemaError(
            f"{table} lacks columns: {'; '.join(missing)}. It has {df.columns}. "
            "Correct the name, or add the column to the table."
        )


def refuse_reserved_keys(key: Sequence[str], reserved: Sequence[str]) -> None:
    """Refuse key columns that are called like a column which dp_spark adds beside them.

    Raises:
        SchemaError: naming them.
    """
    taken = sorted(set(key) & set(reserved))
    if taken:
        raise SchemaError(
            f"the key columns {taken} have the names of columns that are added beside them: "
            f"{list(reserved)}. Rename them in the table."
        )


def refuse_duplicate_keys(df: DataFrame, key: Sequence[str], what: str = "the key") -> None:
    """Refuse a table in which a key is null or occurs twice.

    Keys are first grouped by a 64-bit hash, which moves 8 bytes a row whatever the key; only keys whose
    hashes meet are compared themselves.

    Args:
        df: the table.
        key: the columns that have to identify a row.
        what: what the error calls them.

    Raises:
        SchemaError: naming some of the keys, and how many there are.
    """
    with named_jobs(df.sparkSession, f"checking that {what} {list(key)} is unique"):
        _refuse_null_keys(df, key, what)
        _refuse_repeated_keys(df, key, what)


def _refuse_null_keys(df: DataFrame, key: Sequence[str], what: str) -> None:
    columns = [quoted(name) for name in key]
    without = df.where(_any_null(columns)).select(*columns)
    null = without.limit(NUM_EXAMPLES).collect()
    if null:
        raise SchemaError(
            f"{what} {list(key)} is null in {without.count():,} rows, such as "
            f"{[row.asDict() for row in null]}. A data point needs a key: remove these rows or fill it in."
        )


def _refuse_repeated_keys(df: DataFrame, key: Sequence[str], what: str) -> None:
    columns = [quoted(name) for name in key]
    hashed, is_repeated = df.withColumn(_HASH, F.xxhash64(*columns)), F.col(_COUNT) > 1
    hashes = hashed.groupBy(_HASH).agg(_num_rows()).where(is_repeated).select(_HASH)
    suspects = hashed.join(hashes, on=_HASH, how="left_semi")
    repeated = suspects.groupBy(*columns).agg(_num_rows()).where(is_repeated)
    twice = repeated.limit(NUM_EXAMPLES).collect()
    if twice:
        examples = [{name: row[name] for name in key} for row in twice]
        raise SchemaError(
            f"{what} {list(key)} occurs more than once, such as {examples}; {repeated.count():,} of them do. "
            "Labels are joined to data points by key: choose columns that identify a row, or remove the "
            "duplicates."
        )


def table_digest(df: DataFrame) -> tuple[int, str]:
    """The number of rows and a digest of the rows in any order, in one pass.

    The digest is of sums of 64-bit hashes: it tells an old version of a table from a new one, but not from
    one that somebody made to deceive.
    """
    row_hash = F.xxhash64(*map(quoted, df.columns))
    sums = df.select(row_hash.alias(_HASH)).agg(
        F.count(F.lit(1)).alias(_COUNT),
        F.bit_xor(_HASH).alias("xor"),
        F.sum(F.col(_HASH).cast("decimal(38,0)")).cast("string").alias("sum"),
    )
    with named_jobs(df.sparkSession, "hashing a table's rows"):
        (row,) = sums.collect()  # one row
    content = f"{row[_COUNT]}:{row['xor']}:{row['sum']}:{df.schema.simpleString()}"
    return int(row[_COUNT]), hashlib.sha256(content.encode()).hexdigest()


def _num_rows() -> Column:
    return F.count(F.lit(1)).alias(_COUNT)


def _any_null(columns: Sequence[Column]) -> Column:
    condition = F.lit(False)
    for column in columns:
        condition = condition | column.isNull()
    return condition
