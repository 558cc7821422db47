"""Where a configuration is looked for: a local file, what spark-submit shipped, any URI that Hadoop reads."""

import os
from collections.abc import Callable
from pathlib import Path

from py4j.protocol import Py4JJavaError
from pyspark import SparkFiles

from dp_spark.cli.options import DEFAULT_CONFIG
from dp_spark.errors import ConfigError, MissingResultError
from dp_spark.storage import Storage


def config_text(path: str, storage: Callable[[], Storage]) -> str:
    """The text of the configuration.

    Args:
        path: a local path; a bare name that `spark-submit --files` shipped; or a URI, such as
            s3a://bucket/spam.toml.
        storage: gives the file systems; called only where the path is no local file, as it starts Spark.

    Raises:
        ConfigError: naming every place that was tried, if the file is in none.
    """
    if "://" in path or path.startswith("file:/"):
        return _text_at(path, storage())
    local = Path(path).expanduser()
    if local.is_file():
        return local.read_text()
    tried = [str(local.absolute())]
    if "PYSPARK_GATEWAY_PORT" in os.environ:  # under spark-submit
        file_system = storage()
        shipped = Path(SparkFiles.getRootDirectory(), path)
        if shipped.is_file():
            return shipped.read_text()
        elsewhere = file_system.qualified(path)
        if file_system.exists(path):
            return file_system.read_text(path)
        tried += [f"{shipped} (where --files go)", f"{elsewhere} (Spark's default file system)"]
    raise ConfigError(
        f"--config: {path} is not there. Tried: {'; '.join(tried)}. {_advice(path)} A URI with its scheme, such "
        "as s3a://bucket/spam.toml, is read through Hadoop."
    )


def _text_at(uri: str, storage: Storage) -> str:
    try:
        return storage.read_text(uri)
    except MissingResultError:
        raise ConfigError(
            f"--config: {uri} is not there. Tried: {storage.qualified(uri)}. Correct the URI."
        ) from None
    except Py4JJavaError as problem:
        why = problem.java_exception.toString()
        raise ConfigError(
            f"--config: {uri} cannot be read: {why}. Correct the URI, or give Spark what this file system needs "
            "(packages, credentials)."
        ) from problem


def _advice(path: str) -> str:
    if path == DEFAULT_CONFIG:
        return "Run in the folder that holds it, pass --config PATH, or make a project with `dp-spark init`."
    return (
        f"Correct the path; where the driver runs on the cluster, ship it with `spark-submit --files {path}` and "
        "pass its bare name."
    )
