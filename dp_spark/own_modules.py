"""A user's modules that lie in a folder of theirs: found here, and sent to the executors.

Installed packages, and what `spark-submit --py-files` ships, are there already. Whatever the modules that a
configuration names import from the same folders goes with them.
"""

import atexit
import logging
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pyspark.sql import SparkSession

from dp_spark.errors import ConfigError
from dp_spark.references import import_module

logger = logging.getLogger(__name__)

_NOT_SHIPPED = ("__main__", "dp_spark")  # the job's script, and what every executor has


def find_modules_in(folders: Sequence[Path]) -> None:
    """Let Python look for modules in the folders before its own places."""
    missing = [str(folder) for folder in folders if str(folder) not in sys.path]
    sys.path[:0] = missing


def ship_own_modules(spark: SparkSession, modules: Sequence[str], folders: Sequence[Path]) -> None:
    """Send the modules that lie in the folders to the executors, with those that they import from there.

    Args:
        spark: the session.
        modules: names. One that cannot be imported is passed over: the stage that needs it says why.
        folders: only what lies directly in one of them is sent: single files, and packages as a zip.
    """
    for module in modules:
        try:
            import_module(module)
        except ConfigError as problem:
            logger.debug("not shipped: %s", problem)
    for place in own_places(folders):
        spark.sparkContext.addPyFile(str(place if place.is_file() else _zipped(place)))


def own_places(folders: Sequence[Path]) -> list[Path]:
    """The files, and folders of packages, of loaded modules that lie directly in one of the folders."""
    places = set()
    for name in {name.partition(".")[0] for name in list(sys.modules)}:
        file = getattr(sys.modules.get(name), "__file__", None)
        if file is None or name in _NOT_SHIPPED:
            continue
        place = Path(file).parent if Path(file).name == "__init__.py" else Path(file)
        if place.parent in folders and place.suffix in {".py", ""}:
            places.add(place)
    return sorted(places)


def _zipped(package: Path) -> Path:
    """A zip of a package that lives as long as this process: executors may ask for it until the end."""
    folder = tempfile.mkdtemp(prefix="dp-spark-modules-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(shutil.make_archive(f"{folder}/{package.name}", "zip", package.parent, package.name))
