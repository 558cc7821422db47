"""How large a table is, from its files' names, sizes and footers: no row is read."""

from dataclasses import dataclass

from pyspark.sql.types import StringType, StructField, StructType

from dp_spark.commands.sample import spread
from dp_spark.run import Run
from dp_spark.source_table import read_source
from dp_spark.table_config import PARQUET
from dp_spark.worker_errors import translated_errors

MAX_FOOTERS = 64  # that are read, of Parquet files
_HEAD_BYTES = 1 << 16  # of a file of text, whose lines are counted
_ANY_COLUMN = StructType([StructField("line", StringType())])  # saves the pass that finds the types


@dataclass(frozen=True)
class TableSize:
    """What the files tell.

    Attributes:
        num_files: that Spark would read.
        num_bytes: of them.
        num_partitions: that Spark would make of them.
        num_rows: n; None if that is not known without a pass.
        is_exact: whether `num_rows` is counted and not estimated.
        columns: their names; empty if they are not known without a pass.
    """

    num_files: int
    num_bytes: int
    num_partitions: int
    num_rows: int | None
    is_exact: bool
    columns: tuple[str, ...]


def table_size(run: Run) -> TableSize | None:
    """The size of the run's table, or None if it is not there."""
    table = run.config.table
    if not run.storage.exists(table.path):
        return None
    is_parquet = table.source_format == PARQUET
    any_column = None if is_parquet or table.ddl else _ANY_COLUMN
    points = read_source(run.spark, table.path, table.source_format, table.ddl, any_column)
    with translated_errors():
        files = sorted(points.inputFiles())
        num_partitions = points.rdd.getNumPartitions()
    num_bytes = sum(_file_bytes(run, file) for file in spread(files, MAX_FOOTERS))
    num_bytes = round(num_bytes * len(files) / max(1, min(len(files), MAX_FOOTERS)))
    rows = _parquet_rows(run, files) if is_parquet else _text_rows(run, files, num_bytes)
    is_exact = is_parquet and len(files) <= MAX_FOOTERS
    columns = () if any_column else tuple(points.columns)
    return TableSize(len(files), num_bytes, num_partitions, rows, is_exact, columns)


def _parquet_rows(run: Run, files: list[str]) -> int:
    """n, from the footers of all files, or of MAX_FOOTERS that are spread over them."""
    jvm, chosen = run.storage.jvm, spread(files, MAX_FOOTERS)
    configuration, num_rows = run.spark._jsc.hadoopConfiguration(), 0
    for file in chosen:
        path = jvm.org.apache.hadoop.fs.Path(jvm.java.net.URI.create(file))
        source = jvm.org.apache.parquet.hadoop.util.HadoopInputFile.fromPath(path, configuration)
        reader = jvm.org.apache.parquet.hadoop.ParquetFileReader.open(source)
        try:
            num_rows += int(reader.getRecordCount())
        finally:
            reader.close()
    return round(num_rows * len(files) / max(1, len(chosen)))


def _text_rows(run: Run, files: list[str], num_bytes: int) -> int | None:
    """n, from the length of the first file's first lines; None if it is compressed or empty."""
    if not files or not files[0].endswith((".csv", ".json", ".jsonl", ".ndjson")):
        return None
    head = run.storage.read_head(_decoded(run, files[0]), _HEAD_BYTES)
    num_lines = head.count(b"\n")
    return round(num_bytes * num_lines / len(head)) if num_lines else None


def _file_bytes(run: Run, file: str) -> int:
    return run.storage.size(_decoded(run, file))


def _decoded(run: Run, file: str) -> str:
    """A path as people write it; Spark lists files as URIs."""
    jvm = run.storage.jvm
    return str(jvm.org.apache.hadoop.fs.Path(jvm.java.net.URI.create(file)).toString())
