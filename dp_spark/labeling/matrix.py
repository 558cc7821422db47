"""The label matrix L as a Spark table, and the only place that knows how its votes are stored.

The m votes of a data point are m int8 bytes in one binary column: read and counted two to three times
faster than m columns or an array (docs/method.md). `columns()` is the view for SQL users.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from dp_spark.errors import SchemaError
from dp_spark.labeling.votes import Votes
from dp_spark.storage import Storage
from dp_spark.tables import quoted, read_table, write_table

VOTES_COLUMN = "votes"
KIND = "label matrix"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class LabelMatrix:
    """The votes of m labeling functions on n data points.

    Attributes:
        df: the key columns and one binary column, `votes`: m int8 bytes, in the order of `lf_names`.
        key: the columns that identify a data point.
        lf_names: m unique names.
        lf_hashes: m content hashes: what code cast the votes.
        num_classes: 2 (votes -1, +1) or more (votes 1 to k); 0 abstains.
    """

    df: DataFrame
    key: tuple[str, ...]
    lf_names: tuple[str, ...]
    lf_hashes: tuple[str, ...]
    num_classes: int

    def __post_init__(self) -> None:
        expected = [*self.key, VOTES_COLUMN]
        if self.df.columns != expected:
            raise SchemaError(f"a label matrix has the columns {expected}, this table has {self.df.columns}.")

    def columns(self) -> DataFrame:
        """The key columns and one tinyint column per LF, computed in the JVM."""
        votes = [_vote(i).alias(name) for i, name in enumerate(self.lf_names)]
        return self.df.select(*map(quoted, self.key), *votes)


def pack_votes(votes: Votes) -> pa.Array:
    """(n, m) int8 votes as an Arrow binary array of n values of m bytes."""
    num_rows, num_lfs = votes.shape
    offsets = np.arange(num_rows + 1, dtype=np.int32) * num_lfs
    content = np.ascontiguousarray(votes, dtype=np.int8)
    return pa.Array.from_buffers(
        pa.binary(), num_rows, [None, pa.py_buffer(offsets), pa.py_buffer(content.tobytes())]
    )


def unpack_votes(packed: pa.Array, num_lfs: int) -> Votes:
    """An Arrow binary array of m-byte values as (n, m) int8 votes; honours the array's offset.

    Raises:
        SchemaError: if the values are not m bytes long.
    """
    if packed.type != pa.binary():
        packed = packed.cast(pa.binary())
    num_rows = len(packed)
    offsets = np.frombuffer(packed.buffers()[1], dtype=np.int32)[packed.offset : packed.offset + num_rows + 1]
    if packed.null_count or (np.diff(offsets) != num_lfs).any():
        raise SchemaError(
            f"the column {VOTES_COLUMN!r} holds values that are null or not {num_lfs} bytes long: expected "
            f"one byte for each of the {num_lfs} labeling functions. Was the table written by apply_lfs?"
        )
    if num_rows == 0:
        return np.zeros((0, num_lfs), dtype=np.int8)
    content = np.frombuffer(packed.buffers()[2], dtype=np.int8, count=num_rows * num_lfs, offset=offsets[0])
    return content.reshape(num_rows, num_lfs)


def write_label_matrix(
    label_matrix: LabelMatrix, path: str, storage: Storage, *, overwrite: bool = False
) -> LabelMatrix:
    """Run the labeling functions, write their votes as Parquet, and return the written matrix.

    Votes are on storage before anything shuffles them: a labeling function that is not
    deterministic, and one lost executor, would otherwise lose and duplicate rows.

    Args:
        label_matrix: from `apply_lfs`.
        path: a directory, on any file system that Spark reaches.
        storage: the file systems.
        overwrite: replace a result that is there.

    Raises:
        LabelingFunctionError: if an LF raised or cast an illegal vote; nothing is left at `path`.
        SchemaError: if the table is empty, or keys are null or occur twice.
        OutputExistsError: if `path` is there and `overwrite` is false.
    """
    content = {
        "version": FORMAT_VERSION,
        "num_classes": label_matrix.num_classes,
        "lf_names": list(label_matrix.lf_names),
        "lf_hashes": list(label_matrix.lf_hashes),
    }
    write_table(
        label_matrix.df,
        path,
        storage,
        kind=KIND,
        description=content,
        key=label_matrix.key,
        overwrite=overwrite,
    )
    return read_label_matrix(storage, path)


def read_label_matrix(storage: Storage, path: str) -> LabelMatrix:
    """The label matrix that `write_label_matrix` wrote.

    Raises:
        MissingResultError: if there is none, or its write did not finish.
    """
    df, content = read_table(storage, path, KIND)
    return LabelMatrix(
        df=df,
        key=_texts(content["key"]),
        lf_names=_texts(content["lf_names"]),
        lf_hashes=_texts(content["lf_hashes"]),
        num_classes=int(str(content["num_classes"])),
    )


def _vote(position: int) -> Column:
    byte = F.conv(F.hex(F.substring(VOTES_COLUMN, position + 1, 1)), 16, 10).cast("int")
    return F.when(byte > 127, byte - 256).otherwise(byte).cast("tinyint")


def _texts(values: object) -> tuple[str, ...]:
    if not isinstance(values, Sequence):
        raise SchemaError(f"{values!r} in the description of a label matrix: expected a list of texts.")
    return tuple(str(value) for value in values)
