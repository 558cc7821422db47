"""`dp-spark`, and what the scripts in jobs/ call: arguments in, a verb done, an exit code out.

Only click is loaded until a verb has its arguments: help and mistakes are answered at once.
"""

from dp_spark.cli.verbs import main as main

__all__ = ["main"]
