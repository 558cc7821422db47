"""The labeling functions that run inside Spark: as joins and expressions that add one vote column each.

Votes are checked where they are made: an illegal one fails the task with a mark that `illegal_vote`
turns into an error with the names of labeling function and row.
"""

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from py4j.protocol import Py4JJavaError
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, IntegralType, NullType, StringType

from dp_spark.errors import DpSparkError, IllegalVoteError, LabelingFunctionError, SchemaError
from dp_spark.labeling.jvm_joins import with_joins
from dp_spark.labeling.labeling_function import LabelingFunction
from dp_spark.labeling.rules import ColumnRule, LookupRule
from dp_spark.labeling.votes import ABSTAIN, MAX_CLASSES, Classes
from dp_spark.progress.named_jobs import named_jobs
from dp_spark.tables import quoted
from dp_spark.worker_errors import first_line

_RAW = "_dp_spark_raw_"
_MAX_TABLE = MAX_CLASSES + 1  # rows of a table of votes that are cast together
_MARK = re.compile(r"\[\[dp_spark_vote ([0-9A-F]*) ([0-9A-F]*)\]\]")

_CONDITION = re.compile(
    r"(\[[A-Z_]+(?:\.[A-Z_]+)*\](?: the score is NaN: expected a number, or null to abstain)?)"
)


def runs_in_spark(lf: LabelingFunction) -> bool:
    """Whether a labeling function needs no Python worker."""
    return isinstance(lf.rule, (LookupRule, ColumnRule))


@dataclass(frozen=True)
class SparkVotes:
    """What labeling functions yielded inside Spark, not yet votes.

    Attributes:
        df: the kept columns, and one column per labeling function.
        packed: of `df`: the checked votes, a byte for each, as `pack_votes` makes them in Python.
        counts: SQL aggregates of `df`: how often each labeling function, by position, votes each class.
    """

    df: DataFrame
    packed: Column
    counts: tuple[str, ...]


def with_votes(
    df: DataFrame, kept: Sequence[str], lfs: Sequence[LabelingFunction], key: Sequence[str], classes: Classes
) -> SparkVotes:
    """The kept columns of `df`, and what labeling functions yield there.

    Args:
        df: one row per data point.
        kept: columns of `df`.
        lfs: one or more labeling functions for which `runs_in_spark` is true.
        key: the columns that name a row in an error; among `kept`.
        classes: of the task.

    Raises:
        ValueError: if a labeling function yields no votes, by its type, or looks up values of another type.
        SchemaError: if an expression cannot be resolved, naming its labeling function.
    """
    joined, expressions = with_joins(df, lfs, classes)
    names = [f"{_RAW}{i}" for i in range(len(lfs))]
    raw = [expression.alias(name) for name, expression in zip(names, expressions, strict=True)]
    try:
        yielded = joined.select(*map(quoted, kept), *raw)
    except AnalysisException:
        _refuse_unresolved(joined, lfs, raw)
        raise
    types = [yielded.schema[name].dataType for name in names]
    _refuse_other_types(lfs, types, classes)
    conditions = [_conditions(name, of_type, classes) for name, of_type in zip(names, types, strict=True)]
    votes = [
        _vote(name, of_type, classes, condition_of_vote)
        for name, of_type, condition_of_vote in zip(names, types, conditions, strict=True)
    ]
    # A null among the votes, one that is none, makes the whole value null: one check for all, as Java compiles
    # no methods that are too long. As SQL text, because every operator on a Column is a call of the JVM.
    bytes_ = F.expr(f"concat({', '.join(_bytes_of_groups(votes, classes))})")
    shown = [F.hex(F.to_json(F.struct(*columns))) for columns in (map(quoted, key), map(F.col, names))]
    mark = F.concat(F.lit("[[dp_spark_vote "), shown[0], F.lit(" "), shown[1], F.lit("]]"))
    packed = F.coalesce(bytes_, F.raise_error(mark).cast("binary"))
    counts = [  # a count takes a third of the time of a sum, which has a null and an overflow to look for
        f"count(CASE WHEN {condition} THEN 1 END) AS `{i}_{vote}`"
        for i, condition_of_vote in enumerate(conditions)
        for vote, condition in condition_of_vote.items()
    ]
    return SparkVotes(yielded, packed, tuple(counts))


def illegal_vote(text: str, lfs: Sequence[LabelingFunction], classes: Classes) -> IllegalVoteError | None:
    """The error for the mark of an illegal vote in the text of Spark's exception, if there is one."""
    found = _MARK.search(text)
    if found is None:
        return None
    row, yielded = (json.loads(bytes.fromhex(part)) for part in found.groups())
    values = {lf.name: yielded.get(f"{_RAW}{i}") for i, lf in enumerate(lfs)}  # null is left out
    wrong = {name: value for name, value in values.items() if classes.vote_of(value) is None}
    name, value = next(iter(wrong.items()), ("?", None))
    return IllegalVoteError(
        f"labeling function {name!r} returned {value!r} for the row {row}: {classes.expected()}. Correct the "
        "expression or the column."
    )


def _refuse_unresolved(df: DataFrame, lfs: Sequence[LabelingFunction], raw: Sequence[Column]) -> None:
    problems = []
    for lf, expression in zip(lfs, raw, strict=True):
        try:
            df.select(expression)
        except AnalysisException as problem:
            problems.append(f"{lf.name!r}: {first_line(str(problem))}")
    if problems:
        raise SchemaError(
            "expressions of labeling functions cannot be resolved: " + "; ".join(problems) + " Correct the "
            f"expression, or the name of a column. The table has {df.columns}."
        )


def _refuse_other_types(lfs: Sequence[LabelingFunction], types: Sequence[DataType], classes: Classes) -> None:
    wrong = [
        f"{lf.name!r} yields {data_type.simpleString()}"
        for lf, data_type in zip(lfs, types, strict=True)
        if not isinstance(data_type, (IntegralType, NullType))
        and not (isinstance(data_type, StringType) and classes.names)
    ]
    if wrong:
        names = "" if classes.names else " (class names need class_names)"
        raise ValueError(
            f"labeling functions yield no votes: {'; '.join(wrong)}. Expected an integer{names}: {classes.expected()}. "
            "Wrap conditions in vote(positive=..., negative=...), and cast numbers."
        )


def _conditions(raw: str, data_type: DataType, classes: Classes) -> dict[int, str]:
    """For each class the SQL condition under which a column votes for it."""
    if isinstance(data_type, StringType):
        texts = {
            vote: f"CAST(X'{name.encode().hex()}' AS STRING)" for name, vote in classes.vote_of_name.items()
        }
        return {vote: f"{raw} = {text}" for vote, text in texts.items()}
    return {vote: f"{raw} = {vote}" for vote in classes.votes}


def _vote(raw: str, data_type: DataType, classes: Classes, condition_of_vote: Mapping[int, str]) -> str:
    """The SQL expression of the vote that a column stands for, an integer; null if it is none."""
    if isinstance(data_type, StringType):
        cases = " ".join(f"WHEN {condition} THEN {vote}" for vote, condition in condition_of_vote.items())
    else:
        cases = f"WHEN {raw} BETWEEN {classes.legal_votes[0]} AND {classes.legal_votes[-1]} THEN {raw}"
    return f"CASE WHEN {raw} IS NULL THEN {ABSTAIN} {cases} END"


def _bytes_of_groups(votes: Sequence[str], classes: Classes) -> list[str]:
    """SQL expressions of the bytes of some votes each, looked up in a table of all that they can be together.

    Joining a byte for each vote instead took 5% of the time of ten labeling functions.
    """
    legal = classes.legal_votes
    width = max(w for w in range(1, _MAX_TABLE) if len(legal) ** w <= _MAX_TABLE)
    return [_bytes_together(votes[i : i + width], legal) for i in range(0, len(votes), width)]


def _bytes_together(votes: Sequence[str], legal: range) -> str:
    rows = itertools.product(legal, repeat=len(votes))
    table = ", ".join(f"X'{bytes(vote % 256 for vote in row).hex()}'" for row in rows)
    number = " + ".join(
        f"({vote} + {-legal.start}) * {len(legal) ** i}" for i, vote in enumerate(reversed(votes))
    )
    return f"get(array({table}), {number})"  # array(...)[null] is read outside the array (Spark 4.1)


def name_the_failure(
    df: DataFrame, lfs: Sequence[LabelingFunction], key: Sequence[str], classes: Classes
) -> DpSparkError | None:
    """Which labeling function's expression fails on the rows, found by running each alone; None if none does.

    A table that cannot be read to its end is no labeling function's fault.
    """
    try:
        with named_jobs(df.sparkSession, "reading the table, of which a job failed"):
            df.write.format("noop").mode("overwrite").save()  # reads all columns, keeps nothing
    except (PySparkException, Py4JJavaError):
        return None
    for lf in lfs:
        voted = with_votes(df, key, [lf], key, classes)
        try:
            with named_jobs(df.sparkSession, f"looking for the LF that failed: {lf.name}"):
                voted.df.select(F.max(voted.packed)).collect()  # one row
        except (PySparkException, Py4JJavaError) as problem:
            illegal = illegal_vote(str(problem), [lf], classes)
            return illegal or LabelingFunctionError(
                f"labeling function {lf.name!r} failed inside Spark: {_condition(str(problem))}. Correct its "
                "expression, for instance with try_cast or try_divide, or make it yield null for such rows. Spark's "
                "own words may hold values of the row: they are in the log at level DEBUG."
            )
    return None


def _condition(failure: str) -> str:
    """What Spark calls a failure, without the values that its explanation shows."""
    found = _CONDITION.search(failure)
    return found[1] if found else "an error without a name"
