"""The files of a training set where there is no Spark session: in Spark's tasks and in training processes."""

import hashlib
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import fs

from dp_spark.errors import SchemaError
from dp_spark.labels.manifest import ShardFile, ShardManifest

READ_BYTES = 1 << 20
_LOCAL_PREFIXES = ("file://", "file:")
_PYARROW_SCHEMES = {"s3a://": "s3://", "s3n://": "s3://"}  # Hadoop's names of what pyarrow calls s3


def locate(path: str) -> tuple[fs.FileSystem, str]:
    """The file system that holds a path, and the path as that file system writes it.

    Args:
        path: a local path, or a URI whose scheme pyarrow knows: file, hdfs, s3 (s3a, s3n), gs, abfs.
            HDFS needs libhdfs and CLASSPATH on the workers.
    """
    for prefix in _LOCAL_PREFIXES:
        if path.startswith(prefix):
            return fs.LocalFileSystem(), path.removeprefix(prefix)
    if "://" not in path:
        return fs.LocalFileSystem(), path
    for hadoop, arrow in _PYARROW_SCHEMES.items():
        if path.startswith(hadoop):
            path = arrow + path.removeprefix(hadoop)
    file_system, inner = fs.FileSystem.from_uri(path)
    return file_system, inner


def file_digest(path: str) -> str:
    """The SHA-256 of a file's content; reads it in chunks."""
    file_system, inner = locate(path)
    digest = hashlib.sha256()
    with file_system.open_input_stream(inner) as stream:
        while chunk := stream.read(READ_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def open_shard(path: str) -> pq.ParquetFile:
    """An open Parquet file that reads `READ_BYTES` at a time, however large its row groups are."""
    file_system, inner = locate(path)  # Arrow's pre_buffer, on by default, would hold whole row groups
    return pq.ParquetFile(file_system.open_input_file(inner), buffer_size=READ_BYTES, pre_buffer=False)


def rows_per_read(row_bytes: float) -> int:
    """How many rows to decode at a time, if a row has so many bytes."""
    return max(1, int(READ_BYTES // max(1.0, row_bytes)))


def describe_file(path: str, strings: Sequence[str], num_features: int) -> ShardFile:
    """What the manifest says of a shard.

    Args:
        path: of the file.
        strings: which of the columns "text" and "categories" it has.
        num_features: d; 0 without features.
    """
    with open_shard(path) as file:
        num_rows = file.metadata.num_rows
        num_bytes = num_rows * num_features * 4
        if strings and num_rows:
            groups = [file.metadata.row_group(group) for group in range(file.num_row_groups)]
            size = rows_per_read(sum(group.total_byte_size for group in groups) / num_rows)
            for batch in file.iter_batches(size, columns=list(strings), use_threads=False):
                num_bytes += sum(map(_string_bytes, batch.columns))
    return ShardFile(path.rpartition("/")[2], num_rows, num_bytes, file_digest(path))


def _string_bytes(column: pa.Array) -> int:
    values = column.flatten() if pa.types.is_list(column.type) else column
    return pc.sum(pc.binary_length(values)).as_py() or 0


def refuse_altered(manifest: ShardManifest, files: Sequence[ShardFile]) -> None:
    """Refuse shards whose content is not the one that the manifest describes; reads each file once.

    Raises:
        SchemaError: naming the first such file.
    """
    for file in files:
        path = manifest.file_path(file)
        try:
            found = file_digest(path)
        except FileNotFoundError as problem:
            raise SchemaError(_altered(path, "is not there", file)) from problem
        if found != file.sha256:
            raise SchemaError(_altered(path, f"has the SHA-256 {found}", file))


def _altered(path: str, received: str, file: ShardFile) -> str:
    return (
        f"the shard {path} {received}: expected {file.sha256}, as the manifest says. The file was altered or "
        "damaged; write the training set again or restore it."
    )
