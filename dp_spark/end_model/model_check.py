"""Builds the model that settings ask for, in a process of its own, and says what is wrong with it.

    python -m dp_spark.end_model.model_check

reads an input specification and settings as JSON; its last line is `ok`, or the problem as a JSON text.
"""

import json
import sys

from dp_spark.end_model.input_spec import InputSpec
from dp_spark.end_model.model import build_model
from dp_spark.end_model.settings import TrainingSettings
from dp_spark.errors import DpSparkError
from dp_spark.references import described


def main() -> None:
    """Build the model and write what came of it."""
    job = json.loads(sys.stdin.read())
    settings = TrainingSettings(**job["settings"])
    try:
        build_model(InputSpec(**job["inputs"]), settings)
        told = "ok"
    except DpSparkError as problem:
        told = json.dumps(str(problem))
    except Exception as problem:  # the user's function raises what it likes
        told = json.dumps(f"{settings.model} failed: {described(problem)}. Correct it.")
    sys.stdout.write(f"\n{told}\n")


if __name__ == "__main__":
    main()
