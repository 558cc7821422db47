import json
import logging
import re
from datetime import datetime

import pytest

from dp_spark.errors import ConfigError, SchemaError
from dp_spark.logs import configure_logging, is_configured
from dp_spark.session import run_job

logger = logging.getLogger("dp_spark.some.module")


@pytest.fixture(autouse=True)
def the_log_is_as_before(monkeypatch):
    for name in ("DP_SPARK_LOG_LEVEL", "DP_SPARK_LOG_FORMAT", "DP_SPARK_LOG_FILE", "DP_SPARK_PROGRESS"):
        monkeypatch.delenv(name, raising=False)
    root, package = logging.getLogger(), logging.getLogger("dp_spark")
    handlers, level = list(root.handlers), package.level
    yield
    for handler in [handler for handler in root.handlers if handler not in handlers]:
        root.removeHandler(handler)
        handler.close()
    package.setLevel(level)


def fail():
    raise SchemaError("the table is empty. Write it.") from OSError("a cause")


def test_a_line_has_time_level_and_module(capsys):
    configure_logging()
    logger.info("counted: n=%d", 3)
    logger.debug("never shown")
    line = capsys.readouterr().err
    assert re.fullmatch(r"[\d-]+ [\d:,]+ INFO dp_spark\.some\.module: counted: n=3\n", line)


def test_a_log_of_json_has_an_object_a_line(capsys, monkeypatch):
    monkeypatch.setenv("DP_SPARK_LOG_FORMAT", "json")
    configure_logging()
    logger.info("two\nlines", extra={"fields": {"partitions": 2}})
    with pytest.raises(SystemExit) as ended:
        run_job(fail)
    assert ended.value.code == 3
    first, last = map(json.loads, capsys.readouterr().err.splitlines())
    assert datetime.fromisoformat(first.pop("time")).utcoffset().total_seconds() == 0
    assert first == {
        "level": "INFO", "logger": "dp_spark.some.module", "message": "two\nlines", "partitions": 2,
    }  # fmt: skip
    assert last["level"] == "ERROR"
    assert last["message"] == "SchemaError: the table is empty. Write it."
    assert "a cause" in last["exception"]


def test_traces_are_in_the_file_and_the_terminal_has_one_sentence(capsys, tmp_path):
    file = tmp_path / "logs" / "run.log"
    configure_logging(log_file=str(file))
    logger.debug("a detail")
    with pytest.raises(SystemExit):
        run_job(fail)
    assert capsys.readouterr().err == "SchemaError: the table is empty. Write it.\n"
    kept = file.read_text()
    assert "DEBUG dp_spark.some.module: a detail" in kept
    assert "Traceback" in kept
    assert "OSError: a cause" in kept


def test_at_debug_traces_are_on_the_terminal_too(capsys):
    configure_logging("debug")
    with pytest.raises(SystemExit):
        run_job(fail)
    assert "OSError: a cause" in capsys.readouterr().err


def test_a_second_call_replaces_the_first(capsys):
    assert not is_configured()
    configure_logging("ERROR")
    configure_logging("INFO")
    logger.info("once")
    assert capsys.readouterr().err.count("once") == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"level": "LOUD"}, "the log level is 'LOUD': expected one of DEBUG, INFO, WARNING, ERROR"),
        ({"log_format": "xml"}, "the log format is 'xml': expected one of text, json"),
        ({"log_file": "/proc/nowhere/x.log"}, "the log file /proc/nowhere/x.log cannot be written"),
    ],
)
def test_a_log_that_cannot_be_is_refused(arguments, told):
    with pytest.raises(ConfigError, match=re.escape(told)):
        configure_logging(**arguments)


def test_a_wrong_kind_of_progress_ends_a_job_with_2(capsys, monkeypatch):
    monkeypatch.setenv("DP_SPARK_PROGRESS", "loud")
    with pytest.raises(SystemExit) as ended:
        run_job(lambda: None)
    assert ended.value.code == 2
    assert "DP_SPARK_PROGRESS is 'loud': expected one of auto, bar, lines, none" in capsys.readouterr().err
