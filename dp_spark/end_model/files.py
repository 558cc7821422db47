"""Files on any storage, read and written where there is no Spark: in the training processes."""

import contextlib
import errno
import uuid

import pyarrow as pa
from pyarrow import fs

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
    """Write a file under another name, then rename it: a reader sees the old one or the new one.

    Raises:
        OSError: naming the path, if the storage refuses; no half of a file is left then.
    """
    file_system, inner = locate(path)
    directory = inner.rpartition("/")[0]
    temporary = f"{inner}.{uuid.uuid4().hex[:8]}.tmp"
    try:
        file_system.create_dir(directory, recursive=True)
        with file_system.open_output_stream(temporary) as stream:
            stream.write(pa.py_buffer(content))
        file_system.move(temporary, inner)
    except OSError as problem:
        with contextlib.suppress(OSError):
            file_system.delete_file(temporary)
        advice = "Free space there" if problem.errno == errno.ENOSPC else "Check the storage"
        raise OSError(
            problem.errno, f"cannot write {path} ({len(content):,} bytes): {problem}. {advice}."
        ) from problem


def list_names(directory: str) -> list[str]:
    """The sorted names of the files in a directory, empty if it is not there."""
    file_system, inner = locate(directory)
    selector = fs.FileSelector(inner, allow_not_found=True)
    return sorted(info.base_name for info in file_system.get_file_info(selector))


def delete_file(path: str) -> None:
    """Delete a file; nothing happens if it is not there."""
    file_system, inner = locate(path)
    with contextlib.suppress(FileNotFoundError):
        file_system.delete_file(inner)
