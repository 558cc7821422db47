"""Errors on their way from a Spark worker to the driver.

Spark delivers what a Python worker raised as the text of a traceback inside its own exception, 7 to 22
kilobytes of it. The worker therefore puts the error's class and message, encoded, in its text, and
`translated_errors` raises them again on the driver.
"""

import json
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Column
from pyspark.sql import functions as F

from dp_spark import errors
from dp_spark.bad_lines import bad_line

logger = logging.getLogger(__name__)

Investigate = Callable[[str], errors.DpSparkError | None]  # takes the text of Spark's exception

_MARK = re.compile(r"\[\[dp_spark ([0-9a-f]+)\]\]")
_NO_MODULE = re.compile(r"ModuleNotFoundError: No module named '([\w.]+)'")
_OTHER_MODULE = re.compile(r"AttributeError: Can't get attribute '(\w+)' on <module '([\w.]+)'")
_NO_MEMORY = re.compile(r"^\s*(?:pyarrow\.lib\.ArrowMemoryError|MemoryError)\b", re.MULTILINE)
_NO_FILE = re.compile(r"FAILED_READ_FILE\.FILE_NOT_EXIST\]|FileNotFoundException")
_OTHER_TYPE = re.compile(
    r"FAILED_READ_FILE\.PARQUET_COLUMN_DATA_TYPE_MISMATCH|SchemaColumnConvertNotSupported"
)
_BAD_RECORD = re.compile(r"MALFORMED_RECORD_IN_PARSING|MalformedCSVException|BadRecordException")
_OTHER_HEADER = re.compile(r"CSV header does not conform|Number of column in CSV header")
_FILE = re.compile(r"while reading file (\S+?)\.?\s")
_FIRST_LINE_LENGTH = 400


def marked(error: errors.DpSparkError) -> errors.DpSparkError:
    """The error to raise in a worker so that the driver can recognise it; raise it `from None`.

    What caused it would travel with it to Spark's log, and may hold values of the row.
    """
    content = json.dumps([type(error).__name__, str(error)])
    return type(error)(f"{error} [[dp_spark {content.encode().hex()}]]")


def raised_in_spark(kind: type[errors.DpSparkError], message: Column) -> Column:
    """An expression that fails the job with an error that the driver recognises, as it does `marked` ones."""
    content = F.lower(F.hex(F.to_json(F.array(F.lit(kind.__name__), message))))
    return F.raise_error(F.concat(F.lit("[[dp_spark "), content, F.lit("]]")))


@contextmanager
def translated_errors(investigate: Investigate | None = None) -> Iterator[None]:
    """Raise a worker's `marked` error as itself, without the Java and Python traces around it.

    The whole trace goes to the log at level DEBUG.

    Args:
        investigate: asked about a failure that carries no mark; returns the error to raise, or None.
    """
    try:
        yield
    except (PySparkException, Py4JJavaError) as failure:
        text = str(failure)
        error = _marked_error(text) or _known_error(text) or (investigate(text) if investigate else None)
        if error is None:
            raise
        logger.debug("worker error", exc_info=failure)
        raise error from None


def missing_module(module: str | None, lf: str | None = None) -> errors.EnvironmentProblem:
    """The error for a module that workers lack.

    Args:
        module: its name.
        lf: the labeling function that imports it, if that is known.
    """
    whose = f", which labeling function {lf!r} imports" if lf else ""
    return errors.EnvironmentProblem(
        f"the Python workers have no module {module!r}{whose}: expected what the labeling functions import to "
        "be on every machine. Install it there, or ship it with `spark-submit --py-files` (a module or zip of "
        "Python code) or `--archives` (an environment)."
    )


def first_line(text: str) -> str:
    """What Spark's exception says first, at most 400 characters of it."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")[:_FIRST_LINE_LENGTH]


def _marked_error(text: str) -> errors.DpSparkError | None:
    found = _MARK.search(text)
    if found is None:
        return None
    name, message = json.loads(bytes.fromhex(found[1]))
    error: errors.DpSparkError = getattr(errors, name)(message)
    return error


def _known_error(text: str) -> errors.DpSparkError | None:
    """What a user can mend, among the failures of Spark itself."""
    module = _NO_MODULE.search(text)
    if module is not None:
        return missing_module(module[1])
    other = _OTHER_MODULE.search(text)
    if other is not None:
        return errors.EnvironmentProblem(
            f"the Python workers have another version of the module {other[2]!r}, without {other[1]!r}: expected "
            "that of the driver. Ship it with `spark-submit --py-files` or `--archives`, or install it anew there."
        )
    if _NO_MEMORY.search(text):
        return errors.EnvironmentProblem(
            "a Python worker ran out of memory outside of labeling functions. Send smaller batches "
            "(spark.sql.execution.arrow.maxRecordsPerBatch), run fewer tasks per executor (spark.executor.cores), "
            "or raise spark.executor.memoryOverhead or, if it is set, spark.executor.pyspark.memory."
        )
    bad_text_file = _bad_text_file(text)
    if bad_text_file is not None:
        return bad_text_file
    no_file, other_type = _NO_FILE.search(text), _OTHER_TYPE.search(text)
    if no_file is not None:
        return errors.SchemaError(
            f"a file of a table vanished while it was read: {first_line(text[no_file.start() :])} "
            "Expected a table that does not change during the run: run again, when nothing rewrites it."
        )
    if other_type is not None:
        return errors.SchemaError(
            f"files of one table hold different types in one column: {first_line(text[other_type.start() :])} "
            "Expected one type: rewrite the files that differ."
        )
    return None


def _bad_text_file(text: str) -> errors.SchemaError | None:
    """What is wrong with a file of CSV or JSON lines; what Spark says of it may hold values of rows."""
    found = _FILE.search(text)
    file = found[1] if found else "a file of the table"
    if _OTHER_HEADER.search(text):
        return errors.SchemaError(
            f"the first line of {file} does not name the columns that were expected: in every CSV file of a table, and "
            "in table.schema if it is given, expected the same names in the same order, each once. Correct them."
        )
    if _BAD_RECORD.search(text):
        line = bad_line(file)
        return errors.SchemaError(
            f"{file} holds a row that cannot be read{f' ({line})' if line else ''}: in CSV, expected as many values as "
            "the first line has names, quotes around texts with commas, and values of the column's type; in JSON "
            "lines, one object on every line. Correct the row; if only a type is wrong, give table.schema."
        )
    return None
