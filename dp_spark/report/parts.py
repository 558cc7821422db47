"""The parts of a table that its votes are compared between, and the rows of a label matrix by part.

Where the table has partition columns (`day=2026-01-05/` in its directory), parts are their values: what people load
day by day, or country by country. Otherwise they are consecutive rows of the label matrix, which are mostly
those of the table: a change of the source half-way through it shows. Many values are taken together in order.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F
from pyspark.sql.types import IntegerType, LongType, StringType, StructField, StructType

from dp_spark.labeling.matrix import LabelMatrix
from dp_spark.labeling.packing import VOTES_COLUMN
from dp_spark.progress.named_jobs import named_jobs
from dp_spark.report.part_votes import PART_COLUMN
from dp_spark.storage import Storage, join_path
from dp_spark.tables import quoted

MAX_PARTS = 50
MAX_ROW_PARTS = 20  # of consecutive rows
LEAST_ROWS = 50  # of consecutive rows in a part
MAX_VALUES = 10_000  # of partition columns, and files
MAX_LEVELS = 5  # of partition directories
CONSECUTIVE = "consecutive rows of the label matrix"
_FILE, _OFFSET, _ROW = "_dp_spark_file", "_dp_spark_offset", "_dp_spark_row"
_VALUE = "_dp_spark_value_"  # and a number: beside the columns of a user's table


@dataclass(frozen=True)
class Parts:
    """The rows of a label matrix by part.

    Attributes:
        by: what the parts are.
        names: of the parts, in order.
        rows: packed votes, and the position of the part.
    """

    by: str
    names: tuple[str, ...]
    rows: DataFrame


def partition_columns(storage: Storage, path: str) -> tuple[str, ...]:
    """The columns that the directories of a table stand for, outermost first; none if there are none.

    Args:
        storage: the file systems.
        path: of a table.
    """
    found: list[str] = []
    while len(found) < MAX_LEVELS:
        names = [name for name in storage.list_names(path) if re.fullmatch(r"[^=._][^=]*=.*", name)]
        if not names:
            break
        found.append(names[0].partition("=")[0])
        path = join_path(path, names[0])
    return tuple(found)


def read_parts(matrix: LabelMatrix, points: DataFrame | None, columns: Sequence[str]) -> Parts | None:
    """The rows of a label matrix by part, or None if there are not two parts.

    Args:
        matrix: a written one.
        points: the table; None if it has no partition columns.
        columns: its partition columns.
    """
    known = [name for name in columns if name in points.columns] if points else []
    by_value = _by_values(matrix, points, known) if points and known else None
    return by_value or _by_position(matrix)


def _by_values(matrix: LabelMatrix, points: DataFrame, columns: Sequence[str]) -> Parts | None:
    values = points.select(*map(quoted, columns)).distinct().limit(MAX_VALUES + 1)
    with named_jobs(points.sparkSession, "looking at the parts of the table"):
        found = sorted(values.collect(), key=_order)  # at most MAX_VALUES + 1 rows
    if not 1 < len(found) <= MAX_VALUES:
        return None
    types = [points.schema[name].dataType for name in columns]
    schema = StructType([StructField(f"{_VALUE}{i}", kind) for i, kind in enumerate(types)])
    num_parts = min(len(found), MAX_PARTS)
    at = [i * num_parts // len(found) for i in range(len(found))]
    parts = [(*row, part) for row, part in zip(found, at, strict=True)]
    lookup = points.sparkSession.createDataFrame(parts, schema.add(PART_COLUMN, IntegerType()))
    rows = _with_columns(matrix, points, columns)
    same = [quoted(name).eqNullSafe(F.col(f"{_VALUE}{i}")) for i, name in enumerate(columns)]
    joined = rows.join(F.broadcast(lookup), on=same, how="inner").select(VOTES_COLUMN, PART_COLUMN)
    ends = [(at.index(part), len(at) - 1 - at[::-1].index(part)) for part in range(num_parts)]
    names = tuple(_text(found[a]) if a == b else f"{_text(found[a])} to {_text(found[b])}" for a, b in ends)
    return Parts(" and ".join(columns), names, joined)


def _with_columns(matrix: LabelMatrix, points: DataFrame, columns: Sequence[str]) -> DataFrame:
    """The label matrix with columns of the table."""
    key = list(matrix.key)
    others = [name for name in columns if name not in key]
    if not others:
        return matrix.df
    return matrix.df.join(points.select(*map(quoted, [*key, *others])), on=key, how="inner")


def _by_position(matrix: LabelMatrix) -> Parts | None:
    df = matrix.df.select(
        VOTES_COLUMN,
        F.col("_metadata.file_name").alias(_FILE),
        F.col("_metadata.row_index").alias(_ROW),
    )
    sizes = df.groupBy(_FILE).count().orderBy(_FILE).limit(MAX_VALUES + 1)
    with named_jobs(df.sparkSession, "looking at the parts of the table"):
        files = sizes.collect()  # at most MAX_VALUES + 1 rows
    total = sum(row["count"] for row in files)
    num_parts = min(MAX_ROW_PARTS, total // LEAST_ROWS)
    if num_parts < 2 or len(files) > MAX_VALUES:
        return None
    offsets, offset = [], 0
    for row in files:
        offsets.append((row[_FILE], offset))
        offset += row["count"]
    schema = StructType().add(_FILE, StringType()).add(_OFFSET, LongType())
    lookup = F.broadcast(matrix.df.sparkSession.createDataFrame(offsets, schema))
    part = F.floor((F.col(_OFFSET) + F.col(_ROW)) * num_parts / total).cast("int")
    rows = df.join(lookup, on=_FILE, how="inner").select(VOTES_COLUMN, part.alias(PART_COLUMN))
    firsts = [-(-part * total // num_parts) for part in range(num_parts + 1)]
    names = tuple(f"{a + 1:,} to {b:,}" for a, b in zip(firsts[:-1], firsts[1:], strict=True))
    return Parts(CONSECUTIVE, names, rows)


def _order(row: Row) -> list[tuple[bool, object]]:
    return [(value is not None, value) for value in row]


def _text(row: Row) -> str:
    return ", ".join("null" if value is None else str(value) for value in row)
