"""What a Python worker need not do again for its next task."""

import os
import sys
import zipimport

# Spark puts them on the path of every worker, and they stay the same as long as it lives.
_SPARKS_OWN = ("pyspark.zip", "py4j-", "spark-core_")


def keep_spark_archives() -> None:
    """Let Spark's next task in this process leave out reading the directory of its own archives.

    Before each task Spark 4.1 calls `importlib.invalidate_caches()`, which lists the files of every archive that
    imports were looked for in, `pyspark.zip` and `spark-core_*.jar` with their thousands too: 60 to 100 ms a task.
    An importer that is forgotten is made anew when something is imported, from the list that Python keeps.
    Archives of the user (`--py-files`) are listed again as before.
    """
    for path, importer in list(sys.path_importer_cache.items()):  # also those of folders in archives
        if not isinstance(importer, zipimport.zipimporter):
            continue
        if os.path.basename(importer.archive).startswith(_SPARKS_OWN):
            del sys.path_importer_cache[path]
