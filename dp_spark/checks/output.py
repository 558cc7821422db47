"""Whether results can go where a configuration wants them."""

from py4j.protocol import Py4JJavaError

from dp_spark.errors import EnvironmentProblem, OutputExistsError
from dp_spark.publishing import probe_path, refuse_existing, refuse_foreign
from dp_spark.stage_names import OWN_NAMES, RUN_FILE
from dp_spark.storage import Storage


def refuse_output_at_table(storage: Storage, table_path: str, directory: str) -> None:
    """Refuse an output that is, holds, or lies in the table: replacing one would delete the other.

    Raises:
        OutputExistsError: naming both.
    """
    table, output = (storage.qualified(path).rstrip("/") for path in (table_path, directory))
    if f"{table}/".startswith(f"{output}/") or f"{output}/".startswith(f"{table}/"):
        raise OutputExistsError(
            f"the output {directory} and the table {table_path} lie in each other: expected "
            "two places apart. Choose another output."
        )


def refuse_occupied_output(storage: Storage, directory: str, overwrite: bool) -> None:
    """Refuse a directory for a new run that holds results which may not be replaced, or files of others.

    Raises:
        OutputExistsError: naming what it holds.
    """
    if not set(storage.list_names(directory)) <= {RUN_FILE}:
        refuse_existing(storage, directory, overwrite)
        refuse_foreign(storage, directory, OWN_NAMES)


def refuse_unwritable(storage: Storage, directory: str) -> None:
    """Refuse a directory that cannot be written to, found out with a small file that is deleted again.

    Raises:
        EnvironmentProblem: with what the file system says.
    """
    place = nearest_directory(storage, directory)
    probe = probe_path(place)
    try:
        storage.write_bytes(probe, b"")
        storage.delete(probe)
    except Py4JJavaError as problem:
        raise EnvironmentProblem(
            f"output: {directory} cannot be written: in {place}, {problem.java_exception.toString()}. Expected a place "
            "that this user may write to. Choose another output, or have the permissions changed."
        ) from problem


def nearest_directory(storage: Storage, directory: str) -> str:
    """The directory, or the nearest one above it that is there."""
    place = storage.qualified(directory)
    while not storage.exists(place) and storage.parent(place) != place:
        place = storage.parent(place)
    return place
