"""Doing a verb and saying what came of it: text for people, JSON for machines, an exit code for schedulers."""

import json
import math
import os
import sys
from collections.abc import Callable, Mapping

from dp_spark.cli.options import Speech
from dp_spark.commands.outcome import Outcome
from dp_spark.errors import DpSparkError
from dp_spark.session import run_job

EXIT_PROBLEMS = 2


def speak(work: Callable[[], Outcome], speech: Speech) -> None:
    """Do the work and print its outcome; ends the process with an exit code if it fails or is not good."""
    if speech.level:
        os.environ["DP_SPARK_LOG_LEVEL"] = speech.level
    found: list[Outcome] = []

    def job() -> None:
        try:
            found.append(work())
        except (DpSparkError, ValueError) as problem:
            if speech.as_json:
                print(_json({"error": {"type": type(problem).__name__, "message": str(problem)}}))
            raise

    run_job(job)
    (outcome,) = found
    print(_json(outcome.content) if speech.as_json else outcome.text)
    if not outcome.is_good:
        sys.exit(EXIT_PROBLEMS)


def _json(content: Mapping[str, object]) -> str:
    return json.dumps(_finite(content), indent=2, ensure_ascii=False, allow_nan=False, default=str)


def _finite(value: object) -> object:
    """The value without NaN and infinities, which JSON has no word for: they become null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(part) for part in value]
    return value
