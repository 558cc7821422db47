"""A sample of a table for people to look at: bounded, cheap, and not only the first rows.

Some files are taken, spread over the table. Of the first rows of each, those are drawn whose keys have the smallest
hashes with a seed: the same ones every time.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from dp_spark.checks.columns import refuse_other_columns
from dp_spark.errors import SchemaError
from dp_spark.progress.named_jobs import named_jobs
from dp_spark.run import Run, generated_points, open_table
from dp_spark.tables import quoted
from dp_spark.worker_errors import translated_errors

MAX_FILES = 8  # that a sample is drawn from
ROWS_PER_FILE = 10_000  # at the beginning of a file, that a sample is drawn from
_METADATA = "_metadata"  # of a file that Spark reads, whatever columns the table has


@dataclass(frozen=True)
class Sample:
    """Rows of a table, and where they come from.

    Attributes:
        rows: on the driver.
        points: the table.
        num_files: from which they were drawn; 0 if the table is not in files.
        num_files_of_table: how many there are.
    """

    rows: pa.Table
    points: DataFrame
    num_files: int
    num_files_of_table: int


def draw_sample(run: Run, num_rows: int, seed: int = 0) -> Sample:
    """A sample of the run's table; one that its generator would make is not written.

    Args:
        run: the run.
        num_rows: how many at most.
        seed: of the draw.

    Raises:
        MissingResultError: if the table is not there.
        SchemaError: if it lacks a column that the configuration names, or is empty.
    """
    points = source_points(run)
    refuse_other_columns(points, run.config)
    sample = sample_of(points, run.config.table.key, num_rows, seed, is_in_files=is_written(run))
    if sample.rows.num_rows == 0:
        raise SchemaError(f"{run.config.table.path} holds no rows: expected some. Check the path.")
    return sample


def sample_of(
    points: DataFrame, key: Sequence[str], num_rows: int, seed: int = 0, *, is_in_files: bool = True
) -> Sample:
    """A sample of a table, drawn by columns that identify its rows.

    Args:
        points: the table.
        key: columns that identify a row.
        num_rows: how many at most.
        seed: of the draw.
        is_in_files: whether its rows are those of files; a generator may group or join what it reads from files.
    """
    files = sorted(points.inputFiles()) if is_in_files else []
    chosen = spread(files, MAX_FILES)
    with named_jobs(points.sparkSession, "drawing a sample"), translated_errors():
        rows = drawn(points, chosen, key, num_rows, seed).toArrow()  # num_rows rows
    return Sample(rows, points, len(chosen), len(files))


def source_points(run: Run) -> DataFrame:
    """The rows of the table that is there, or those that its generator would write, whichever columns they have.

    Raises:
        MissingResultError: if the table is not there, and the configuration names no generator.
        SchemaError: if it is of another format.
    """
    return open_table(run) if is_written(run) else generated_points(run)


def is_written(run: Run) -> bool:
    """Whether the table is there; else its generator would make it."""
    return run.storage.exists(run.config.table.path)


def spread(files: Sequence[str], num_files: int) -> list[str]:
    """At most so many of the files, evenly spread.

    >>> spread(["a", "b", "c", "d", "e"], 3)
    ['a', 'c', 'e']
    """
    if len(files) <= num_files:
        return list(files)
    return [files[round(i * (len(files) - 1) / (num_files - 1))] for i in range(num_files)]


def drawn(points: DataFrame, files: Sequence[str], key: Sequence[str], num_rows: int, seed: int) -> DataFrame:
    """Rows of the first ROWS_PER_FILE of each file, by the hashes of their keys."""
    parts = [points.where(_file_of(points).isin(*_spellings(file))) for file in files] or [points]
    order = F.xxhash64(*map(quoted, key), F.lit(seed))
    few = [part.limit(ROWS_PER_FILE).orderBy(order).limit(num_rows) for part in parts]
    return functools.reduce(DataFrame.unionAll, few).orderBy(order).limit(num_rows)


def _file_of(points: DataFrame) -> Column:
    """The file that a row is in, also where the table has a column called like Spark's own."""
    return points.metadataColumn(_METADATA).getField("file_path")


def _spellings(file: str) -> tuple[str, str]:
    """Spark lists a local file as file:///place, and calls it file:/place beside its rows."""
    return file, file.replace("file:///", "file:/", 1)
