"""The exceptions that dp_spark raises for what can go wrong in its domain.

DpSparkError                    caught by every job; carries the exit code
├── EnvironmentProblem     2    Java, Python or a package is missing or of a wrong version
├── ConfigError            2    the configuration file: not there, not TOML, unknown keys, wrong types
├── OutputExistsError      2    the place to write to already holds results
├── MissingResultError     2    a stage needs a result that an earlier stage has not written
├── SchemaError            3    a table: missing columns, wrong types, null or duplicate keys, no rows
├── LabelingFunctionError  4    a labeling function raised
│   └── IllegalVoteError   4    a labeling function returned something that is not a vote
├── DivergedError          1    an optimisation ended in NaN or infinity
└── TrainingError          1    a training worker failed

A bad argument of a call in Python is a ValueError; a job ends with 2. What else a job ends with: 0 when it is done;
1 for a failure of Spark, and for a defect of dp_spark, with its trace; 130 after Ctrl-C (SIGINT), 143 after SIGTERM,
as `interruption.Interrupted`, which is no DpSparkError: nothing is wrong. Every message says what was wrong, the value
received, what was expected and what to do.
"""


class DpSparkError(Exception):
    """An error of dp_spark's domain; `exit_code` is what a job ends with."""

    exit_code = 1


class EnvironmentProblem(DpSparkError):
    """Java, Python or a package is missing or of a wrong version."""

    exit_code = 2


class ConfigError(DpSparkError):
    """The configuration file cannot be used."""

    exit_code = 2


class OutputExistsError(DpSparkError):
    """The place to write to already holds results."""

    exit_code = 2


class MissingResultError(DpSparkError):
    """A stage needs a result that an earlier stage has not written."""

    exit_code = 2


class SchemaError(DpSparkError):
    """A table does not have the columns, types, keys or rows that a stage needs."""

    exit_code = 3


class LabelingFunctionError(DpSparkError):
    """A labeling function raised."""

    exit_code = 4


class IllegalVoteError(LabelingFunctionError):
    """A labeling function returned something that is not a vote."""


class DivergedError(DpSparkError):
    """An optimisation ended in NaN or infinity."""


class TrainingError(DpSparkError):
    """A training worker failed."""
