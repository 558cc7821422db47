"""Counts of a table of any size, in one pass over its partitions.

Every task counts its rows; counts are then merged with `+` in two rounds of tasks, so that the driver
receives the counts of the whole table once, whatever the number of rows or partitions.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from operator import add
from typing import Protocol, Self, TypeVar

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from dp_spark.errors import SchemaError
from dp_spark.progress.named_jobs import named_jobs
from dp_spark.tables import BatchPass, map_batches
from dp_spark.worker_errors import marked, translated_errors

NUM_MERGERS = 8  # tasks of the first merging round
_SCHEMA = "merger int, counts binary"


class Mergeable(Protocol):
    """Counts that add up, in any order, and travel as bytes."""

    def __add__(self, other: Self) -> Self:
        """The counts of both parts together."""

    def to_bytes(self) -> bytes:
        """The counts, the same bytes for the same counts."""

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """The counts that `to_bytes` wrote."""


C = TypeVar("C", bound=Mergeable)


def count_batches(
    df: DataFrame, start: C, with_batch: Callable[[C, pa.RecordBatch], C], *, what: str = "counting rows"
) -> C:
    """The counts of all rows of a table, which is read once, now.

    Args:
        df: the table.
        start: the counts of no rows.
        with_batch: counts and those of one more batch; it runs in Spark's workers.
        what: Spark's jobs are called.

    Raises:
        SchemaError: that `with_batch` raised.
    """
    partials = map_batches(df, _counter(start, with_batch), _SCHEMA)
    merge = _merger(type(start))
    merged = _merged(_merged(partials, merge, NUM_MERGERS), merge, 1)
    with translated_errors(), named_jobs(df.sparkSession, what):
        rows = merged.select("counts").collect()  # one row: the counts of the whole table
    return reduce(add, (start.from_bytes(bytes(row["counts"])) for row in rows), start)


def _merged(partials: DataFrame, merge: BatchPass, num_tasks: int) -> DataFrame:
    target = F.pmod(F.col("merger"), F.lit(num_tasks)) if num_tasks > 1 else F.lit(0)
    return map_batches(partials.repartition(num_tasks, target), merge, _SCHEMA)


def _counter(start: C, with_batch: Callable[[C, pa.RecordBatch], C]) -> BatchPass:
    def count(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        try:
            counts = reduce(with_batch, batches, start)
        except SchemaError as problem:
            raise marked(problem) from problem
        yield _row(counts)

    return count


def _merger(kind: type[C]) -> BatchPass:
    def merge(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        parts = (kind.from_bytes(content.as_py()) for batch in batches for content in batch.column(1))
        first = next(parts, None)
        if first is not None:
            yield _row(reduce(add, parts, first))

    return merge


def _row(counts: Mergeable) -> pa.RecordBatch:
    content = counts.to_bytes()
    # Spreads the partial counts over the merging tasks; any number does, this one is the same on a retry.
    merger = zlib.crc32(content) >> 1
    return pa.RecordBatch.from_arrays(
        [pa.array([merger], pa.int32()), pa.array([content], pa.binary())], names=["merger", "counts"]
    )
