"""The log of a job: lines for people or JSON for machines, on stderr and, with all traces, in a file."""

import json
import logging
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from dp_spark.errors import ConfigError
from dp_spark.interruption import received_signal
from dp_spark.progress.display import beside_bars

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
FORMATS = ("text", "json")
ANSWER = {"is_answer": True}  # as `extra`: the message is the job's answer, and stands alone on the terminal

_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def configure_logging(
    level: str | None = None, log_format: str | None = None, log_file: str | None = None
) -> None:
    """Send dp_spark's log to stderr, one line a record, and to a file if one is named; called again, it replaces.

    Args:
        level: DEBUG, INFO, WARNING or ERROR, of what stderr gets; by default what the environment variable
            DP_SPARK_LOG_LEVEL says, else INFO. Traces are shown at DEBUG.
        log_format: "text", or "json": an object a line with time (UTC), level, logger, message and, where there is
            one, exception; by default DP_SPARK_LOG_FORMAT, else "text".
        log_file: a local path; records of every level are appended to it, with all traces, Java's too. They may
            hold values of rows. By default DP_SPARK_LOG_FILE, else no file.

    Raises:
        ConfigError: if level or format is another, or the file cannot be written.
    """
    level = (level or os.environ.get("DP_SPARK_LOG_LEVEL") or "INFO").upper()
    log_format = log_format or os.environ.get("DP_SPARK_LOG_FORMAT") or "text"
    log_file = log_file or os.environ.get("DP_SPARK_LOG_FILE")
    _refuse_other("the log level", level, LEVELS)
    _refuse_other("the log format", log_format, FORMATS)
    handlers: list[logging.Handler] = [_Terminal(level, is_json=log_format == "json")]
    if log_file:
        handlers.append(_log_file(log_file, is_json=log_format == "json"))
    root = logging.getLogger()
    for older in [h for h in root.handlers if isinstance(h, (_Terminal, _LogFile))]:
        root.removeHandler(older)
        older.close()
    for handler in handlers:
        root.addHandler(handler)
    logging.getLogger("dp_spark").setLevel("DEBUG" if log_file else level)


def is_configured() -> bool:
    """Whether `configure_logging` was called."""
    return any(isinstance(handler, _Terminal) for handler in logging.getLogger().handlers)


def is_json() -> bool:
    """Whether the log is JSON."""
    return any(h.is_json for h in logging.getLogger().handlers if isinstance(h, _Terminal))


class JsonFormatter(logging.Formatter):
    """A record as one JSON object on one line."""

    def format(self, record: logging.LogRecord) -> str:
        """The object: time, level, logger, message, the fields of progress, and the exception's trace."""
        content: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            content["exception"] = self.formatException(record.exc_info)
        return json.dumps(content, default=str)


class _TextFormatter(logging.Formatter):
    """A record as a line; the answer of a job without time and module."""

    def __init__(self, *, has_traces: bool) -> None:
        super().__init__(_TEXT)
        self._has_traces = has_traces

    def format(self, record: logging.LogRecord) -> str:
        is_answer = getattr(record, "is_answer", False)
        text = record.getMessage() if is_answer else f"{self._head(record)}{record.getMessage()}"
        if record.exc_info and self._has_traces:
            text += "\n" + self.formatException(record.exc_info)
        return text

    def _head(self, record: logging.LogRecord) -> str:
        return f"{self.formatTime(record)} {record.levelname} {record.name}: "


class _Terminal(logging.Handler):
    """Writes to what `sys.stderr` is at the moment, which tests and notebooks replace, beside bars on it."""

    def __init__(self, level: str, *, is_json: bool) -> None:
        super().__init__(level)
        self.is_json = is_json
        self.setFormatter(JsonFormatter() if is_json else _TextFormatter(has_traces=level == "DEBUG"))
        self.addFilter(_is_no_echo)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        try:
            with beside_bars(sys.stderr):
                sys.stderr.write(self.format(record) + "\n")
                sys.stderr.flush()
        except Exception:  # as the handlers of `logging` do: a log must not stop what it tells of
            self.handleError(record)


class _LogFile(logging.FileHandler):
    """The log file."""


def _log_file(path: str, *, is_json: bool) -> _LogFile:
    try:
        Path(path).absolute().parent.mkdir(parents=True, exist_ok=True)
        handler = _LogFile(path, encoding="utf-8")
    except OSError as problem:
        raise ConfigError(
            f"the log file {path} cannot be written ({problem.strerror}): expected a local path. Choose another."
        ) from problem
    handler.setFormatter(JsonFormatter() if is_json else logging.Formatter(_TEXT))
    return handler


def _is_no_echo(record: logging.LogRecord) -> bool:
    """Whether a record is not py4j's own trace of a call that a signal interrupted."""
    return not (received_signal() and record.name.split(".")[0] in ("root", "py4j"))


def _refuse_other(what: str, value: str, expected: tuple[str, ...]) -> None:
    if value not in expected:
        raise ConfigError(f"{what} is {value!r}: expected one of {', '.join(expected)}. Correct it.")
