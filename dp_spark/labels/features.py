"""A model's inputs in Arrow: checked, features as matrices, and packed in one binary column.

A packed vector is d little-endian float32 values, 4d bytes. Readers need no Spark, and it reads three
times faster than `array<float>`. (Measured: 8.7 against 2.7 M rows per CPU second.)
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dp_spark.errors import SchemaError

Matrix = npt.NDArray[np.float32]
PACKED_TYPE = np.dtype("<f4")

DescribeRow = Callable[[int], str]


def feature_matrix(column: pa.Array, num_features: int, name: str, describe_row: DescribeRow) -> Matrix:
    """An Arrow list<float> column as an (n, d) matrix of finite values; a view where Arrow allows it.

    Args:
        column: list<float>; may be a slice.
        num_features: d, at least 1.
        name: what errors call the column.
        describe_row: says which data point row i of this column is.

    Raises:
        SchemaError: if a vector is null, has another length than d, or holds a null, a NaN or infinity.
    """
    lengths = pc.list_value_length(column).fill_null(-1).to_numpy(zero_copy_only=False)
    wrong = np.flatnonzero(lengths != num_features)
    if wrong.size:
        row = int(wrong[0])
        received = "is null" if lengths[row] < 0 else f"has {lengths[row]} values"
        raise SchemaError(
            f"the feature column {name!r} {received} for {describe_row(row)}: expected {num_features} "
            "values, as in the first data point. Remove or repair such rows."
        )
    values = column.flatten()
    flat: Matrix = values.fill_null(np.nan).to_numpy(zero_copy_only=False)
    matrix = flat.reshape(-1, num_features)
    finite = np.isfinite(matrix)
    if not finite.all():
        row, position = (int(i) for i in np.argwhere(~finite)[0])
        value = values[row * num_features + position].as_py()
        raise SchemaError(
            f"the feature column {name!r} holds {'null' if value is None else value} at position {position} "
            f"for {describe_row(row)}: expected finite numbers. Fill it in, or remove the row."
        )
    return matrix


def text_array(column: pa.Array, name: str, describe_row: DescribeRow) -> pa.Array:
    """A string column without nulls.

    Args:
        column: string; may be a slice.
        name: what errors call the column.
        describe_row: says which data point row i of this column is.

    Raises:
        SchemaError: if a text is null.
    """
    if column.null_count:
        row = int(np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[0])
        raise SchemaError(
            f"the text column {name!r} is null for {describe_row(row)}: expected a string. Fill it in (an "
            "empty text is fine), or remove the row."
        )
    return column


def category_array(column: pa.Array, names: Sequence[str], describe_row: DescribeRow) -> pa.Array:
    """A column of lists of c strings, without nulls.

    Args:
        column: list<string>, c values in each list; may be a slice.
        names: of the c columns that the values come from.
        describe_row: says which data point row i of this column is.

    Raises:
        SchemaError: if a value is null.
    """
    is_null = column.flatten().is_null().to_numpy(zero_copy_only=False).reshape(-1, len(names))
    if is_null.any():
        row, position = (int(i) for i in np.argwhere(is_null)[0])
        raise SchemaError(
            f"the category column {names[position]!r} is null for {describe_row(row)}: expected a value. Fill "
            "it in (with a category of its own, such as 'unknown'), or remove the row."
        )
    return column


def pack_features(matrix: Matrix) -> pa.Array:
    """An (n, d) matrix as an Arrow binary array of n values of 4d bytes."""
    num_rows, num_features = matrix.shape
    offsets = np.arange(num_rows + 1, dtype=np.int32) * (num_features * PACKED_TYPE.itemsize)
    content = np.ascontiguousarray(matrix, dtype=PACKED_TYPE)
    return pa.Array.from_buffers(pa.binary(), num_rows, [None, pa.py_buffer(offsets), pa.py_buffer(content)])


def unpack_features(packed: pa.Array, num_features: int) -> Matrix:
    """What `pack_features` packed, without copying; honours the array's offset.

    Args:
        packed: binary, n values; may be a slice.
        num_features: d, at least 1.

    Raises:
        SchemaError: if a value is null or not 4d bytes long.
    """
    num_rows, width = len(packed), num_features * PACKED_TYPE.itemsize
    if num_rows == 0:
        return np.zeros((0, num_features), dtype=PACKED_TYPE)
    offsets = np.frombuffer(packed.buffers()[1], dtype=np.int32)[packed.offset : packed.offset + num_rows + 1]
    if packed.null_count or (np.diff(offsets) != width).any():
        raise SchemaError(
            f"a shard holds packed features that are null or not {width} bytes long: expected {num_features} "
            "float32 values. The file does not belong to this manifest; write the training set again."
        )
    content = np.frombuffer(packed.buffers()[2], PACKED_TYPE, num_rows * num_features, int(offsets[0]))
    return content.reshape(num_rows, num_features)
