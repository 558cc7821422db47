"""Files that the driver reads and writes, wherever Spark can: local disk, HDFS, object stores.

Everything goes through Hadoop's FileSystem, as Spark's own reads and writes do, so that a path means
the same to both.
"""

import json
from dataclasses import dataclass

from py4j.java_gateway import JavaObject
from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from dp_spark.errors import EnvironmentProblem, MissingResultError, OutputExistsError

DESCRIPTION_FILE = "_dp_spark.json"  # Spark ignores names that begin with an underscore


@dataclass(frozen=True)
class Storage:
    """The file systems that this Spark session reaches.

    Every method raises EnvironmentProblem on Spark Connect, where they are out of reach.
    """

    spark: SparkSession

    def exists(self, path: str) -> bool:
        """Whether a file or directory is there."""
        return bool(self._file_system(path).exists(self._path(path)))

    def is_empty_directory(self, path: str) -> bool:
        """Whether a directory is there and holds nothing, as a stage that failed can leave it."""
        if not self.exists(path):
            return False
        file_system = self._file_system(path)
        is_directory = file_system.getFileStatus(self._path(path)).isDirectory()
        return bool(is_directory) and len(file_system.listStatus(self._path(path))) == 0

    def read_bytes(self, path: str) -> bytes:
        """The content of a file.

        Raises:
            MissingResultError: if it is not there.
        """
        if not self.exists(path):
            raise MissingResultError(f"{path} is not there. Run the stage that writes it first.")
        stream = self._file_system(path).open(self._path(path))
        try:
            return bytes(stream.readAllBytes())
        finally:
            stream.close()

    def read_head(self, path: str, num_bytes: int) -> bytes:
        """The first bytes of a file that is there."""
        stream = self._file_system(path).open(self._path(path))
        try:
            return bytes(stream.readNBytes(num_bytes))
        finally:
            stream.close()

    def size(self, path: str) -> int:
        """The bytes of a file, or of all files in a directory; 0 if it is not there."""
        if not self.exists(path):
            return 0
        return int(self._file_system(path).getContentSummary(self._path(path)).getLength())

    def read_text(self, path: str) -> str:
        """The content of a UTF-8 file; raises as `read_bytes`."""
        return self.read_bytes(path).decode()

    def write_bytes(self, path: str, content: bytes) -> None:
        """Write a file, replacing one that is there."""
        stream = self._file_system(path).create(self._path(path), True)
        try:
            stream.write(bytearray(content))
        finally:
            stream.close()

    def write_text(self, path: str, text: str) -> None:
        """Write a UTF-8 file, replacing one that is there."""
        self.write_bytes(path, text.encode())

    def list_names(self, path: str) -> list[str]:
        """The sorted names in a directory, empty if it is not there."""
        if not self.exists(path):
            return []
        statuses = self._file_system(path).listStatus(self._path(path))
        return sorted(str(status.getPath().getName()) for status in statuses)

    def delete(self, path: str) -> None:
        """Delete a file, or a directory with all it holds; nothing happens if it is not there."""
        self._file_system(path).delete(self._path(path), True)

    def rename(self, source: str, target: str) -> None:
        """Move a file or directory; the target's parent is made if need be.

        Raises:
            OutputExistsError: if the target is there.
            OSError: if the file system refuses.
        """
        if self.exists(target):
            raise OutputExistsError(f"cannot rename {source} to {target}: the target is there already.")
        file_system = self._file_system(target)
        file_system.mkdirs(self._path(target).getParent())
        try:
            is_moved = file_system.rename(self._path(source), self._path(target))
        except Py4JJavaError as problem:
            why = problem.java_exception.getMessage()
            raise OSError(f"the file system refused to rename {source} to {target}: {why}.") from problem
        if not is_moved:
            raise OSError(f"the file system refused to rename {source} to {target}.")

    def qualified(self, path: str) -> str:
        """The path with its scheme and absolute, as Spark understands it."""
        return str(self._file_system(path).makeQualified(self._path(path)).toString())

    def parent(self, path: str) -> str:
        """The directory that a path lies in; the top of a file system lies in itself."""
        above = self._path(path).getParent()
        return path if above is None else str(above.toString())

    @property
    def jvm(self) -> JavaObject:
        """Java's packages, by name."""
        jvm = getattr(self.spark, "_jvm", None)
        if jvm is None:
            raise EnvironmentProblem(
                "this Spark session is a Spark Connect client, which cannot reach the driver's file systems. "
                "Run the job with spark-submit, or use the functions that take and return DataFrames."
            )
        return jvm

    def _path(self, path: str) -> JavaObject:
        return self.jvm.org.apache.hadoop.fs.Path(path)

    def _file_system(self, path: str) -> JavaObject:
        return self._path(path).getFileSystem(self.spark._jsc.hadoopConfiguration())


def join_path(directory: str, *names: str) -> str:
    """A path below a directory, on any file system."""
    return "/".join([directory.rstrip("/"), *names])


def write_description(storage: Storage, directory: str, content: dict[str, object]) -> None:
    """Write the small file that says what a directory of Parquet files is; its last file."""
    storage.write_text(join_path(directory, DESCRIPTION_FILE), json.dumps(content, indent=2) + "\n")


def read_description(storage: Storage, directory: str, kind: str) -> dict[str, object]:
    """What `write_description` wrote.

    Raises:
        MissingResultError: if the directory has no such file, or it describes another kind of result.
    """
    path = join_path(directory, DESCRIPTION_FILE)
    if not storage.exists(path):
        raise MissingResultError(
            f"{directory} holds no complete {kind}: {DESCRIPTION_FILE}, which is written last, is not "
            f"there. Run the stage that writes the {kind}."
        )
    content: dict[str, object] = json.loads(storage.read_text(path))
    if content.get("kind") != kind:
        raise MissingResultError(f"{directory} holds a {content.get('kind')}: expected a {kind}.")
    return content
