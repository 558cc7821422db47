"""How a labeling function votes: five rules that the engine knows, behind all kinds of labeling functions.

A rule is data. `voter.py` evaluates those of Python in Spark's workers, `jvm_votes.py` turns the others
into Spark expressions and joins.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from dp_spark.labeling.matching import Unit
from dp_spark.labeling.vote import Vote

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

BatchFormat = Literal["pandas", "arrow"]


@dataclass(frozen=True)
class RowRule:
    """A Python function of one data point that returns a vote or None."""

    function: Callable[..., object]


@dataclass(frozen=True)
class BatchRule:
    """A Python function of a batch, as a pandas DataFrame or an Arrow RecordBatch, that returns a vector."""

    function: Callable[..., object]
    batch_format: BatchFormat


@dataclass(frozen=True)
class PatternRule:
    """Patterns by class, searched in a text column: votes for the one class of which a pattern occurs."""

    column: str
    patterns: tuple[tuple[Vote, tuple[Unit, ...]], ...]


@dataclass(frozen=True)
class LookupRule:
    """The vote that belongs to the value of a column; other values abstain."""

    column: str
    votes: Mapping[object, Vote]


@dataclass(frozen=True, eq=False)
class JoinedTable:
    """A table with one row per key that is joined to the data points, keeping all of these.

    Attributes:
        df: key columns and `value`.
        on: the column of the data points for each key column of `df`, by the latter's name.
        value: the column that an expression then refers to as `{joined}`.
    """

    df: "DataFrame"
    on: Mapping[str, str]
    value: str


@dataclass(frozen=True, eq=False)
class ColumnRule:
    """A Spark expression that yields a vote or null.

    Attributes:
        expression: a Column, or SQL text, which may hold `{joined}`.
        joined: what that is.
        column: the column whose values are the votes, if the expression is no more than that.
        choices: the votes that it casts, as far as they are known.
    """

    expression: "str | Column"
    joined: JoinedTable | None = None
    column: str | None = None
    choices: tuple[Vote, ...] = ()


PythonRule = RowRule | BatchRule | PatternRule
Rule = PythonRule | LookupRule | ColumnRule


def known_choices(rule: Rule) -> list[Vote]:
    """The votes, or names of classes, that a rule casts, as far as they can be told without running it."""
    match rule:
        case PatternRule(patterns=patterns):
            return [choice for choice, _ in patterns]
        case LookupRule(votes=votes):
            return list(dict.fromkeys(votes.values()))
        case ColumnRule(choices=choices):
            return list(choices)
    return []
