"""How votes are stored: the m votes of a data point are m int8 bytes of one binary value.

The only place that knows it, in Arrow and in Spark's own expressions. Packed votes are read and counted two to
three times faster than m columns or an array (docs/method.md).
"""

import numpy as np
import pyarrow as pa
from pyspark.sql import Column
from pyspark.sql import functions as F

from dp_spark.errors import SchemaError
from dp_spark.labeling.votes import Votes

VOTES_COLUMN = "votes"


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


def vote_in_spark(position: int) -> Column:
    """The vote at a position of the packed votes, as a tinyint, computed in the JVM."""
    byte = F.conv(F.hex(F.substring(VOTES_COLUMN, position + 1, 1)), 16, 10).cast("int")
    return F.when(byte > 127, byte - 256).otherwise(byte).cast("tinyint")


def votes_of_value(packed: bytes | bytearray) -> Votes:
    """One value of the column, m bytes, as (m,) int8 votes."""
    return np.frombuffer(bytes(packed), dtype=np.int8)
