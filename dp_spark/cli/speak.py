"""Doing a verb and saying what came of it: text for people, JSON for machines, an exit code for schedulers."""

import json
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext, redirect_stdout

from dp_spark.cli.options import Speech
from dp_spark.commands.outcome import Outcome
from dp_spark.errors import ConfigError, DpSparkError
from dp_spark.json_values import finite
from dp_spark.logs import configure_logging
from dp_spark.session import run_job
from dp_spark.worker_errors import first_line

EXIT_PROBLEMS = 2


def speak(work: Callable[[], Outcome], speech: Speech) -> None:
    """Do the work and print its outcome; ends the process with an exit code if it fails or is not good."""
    found: list[Outcome] = []
    _configure(speech)

    def job() -> None:
        try:
            with redirect_stdout(sys.stderr) if speech.as_json else nullcontext():
                found.append(work())
        except BaseException as problem:  # an object for machines, whatever ends the verb
            if speech.as_json:
                print(_json({"error": {"type": type(problem).__name__, "message": _message(problem)}}))
            raise

    run_job(job)
    (outcome,) = found
    print(_json(outcome.content) if speech.as_json else outcome.text)
    if not outcome.is_good:
        sys.exit(EXIT_PROBLEMS)


def _message(problem: BaseException) -> str:
    """What went wrong; of Spark's pages only the first line."""
    text = str(problem)
    return text if isinstance(problem, (DpSparkError, ValueError)) else first_line(text)


def _configure(speech: Speech) -> None:
    if speech.level == "WARNING":
        os.environ.setdefault("DP_SPARK_PROGRESS", "none")
    try:
        configure_logging(speech.level, speech.log_format, speech.log_file)
    except ConfigError as problem:
        sys.stderr.write(f"ConfigError: {problem}\n")
        sys.exit(problem.exit_code)


def _json(content: Mapping[str, object]) -> str:
    return json.dumps(finite(content), indent=2, ensure_ascii=False, allow_nan=False, default=str)
