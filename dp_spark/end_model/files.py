"""Files on any storage, read and written where there is no Spark: in the training processes."""

import uuid

import pyarrow as pa

from dp_spark.labels.shard_files import locate


def read_file(path: str) -> bytes | None:
    """The content of a file, or None if it is not there."""
    file_system, inner = locate(path)
    try:
        with file_system.open_input_stream(inner) as stream:
            return bytes(stream.read())
    except FileNotFoundError:
        return None


def replace_file(path: str, content: bytes) -> None:
    """Write a file under another name, then rename it: a reader sees the old one or the new one."""
    file_system, inner = locate(path)
    directory = inner.rpartition("/")[0]
    file_system.create_dir(directory, recursive=True)
    temporary = f"{inner}.{uuid.uuid4().hex[:8]}.tmp"
    with file_system.open_output_stream(temporary) as stream:
        stream.write(pa.py_buffer(content))
    file_system.move(temporary, inner)
