"""Errors on their way from a Spark worker to the driver.

Spark delivers what a Python worker raised as the text of a traceback inside its own exception, 7 to 22
kilobytes of it. The worker therefore puts the error's class and message, encoded, in its text, and
`translated_errors` raises them again on the driver.
"""

import base64
import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException

from dp_spark import errors

logger = logging.getLogger(__name__)

_MARK = re.compile(r"\[\[dp_spark (\S+?)\]\]")


def marked(error: errors.DpSparkError) -> errors.DpSparkError:
    """The error to raise in a worker so that the driver can recognise it."""
    content = json.dumps([type(error).__name__, str(error)])
    code = base64.b64encode(content.encode()).decode()
    return type(error)(f"{error} [[dp_spark {code}]]")


@contextmanager
def translated_errors() -> Iterator[None]:
    """Raise a worker's `marked` error as itself, without the Java and Python traces around it.

    The whole trace goes to the log at level DEBUG.
    """
    try:
        yield
    except (PySparkException, Py4JJavaError) as failure:
        found = _MARK.search(str(failure))
        if found is None:
            raise
        logger.debug("worker error", exc_info=failure)
        name, message = json.loads(base64.b64decode(found[1]))
        raise getattr(errors, name)(message) from None
