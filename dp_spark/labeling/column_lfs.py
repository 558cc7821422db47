"""Labeling functions inside Spark: Column expressions, SQL text, and votes or scores that the table holds.

If all labeling functions are of these kinds, or lookups, no Python worker starts.
"""

import math
import re
from typing import TYPE_CHECKING

from dp_spark.labeling.labeling_function import LabelingFunction, content_hash
from dp_spark.labeling.rules import ColumnRule
from dp_spark.labeling.votes import NEGATIVE, POSITIVE

if TYPE_CHECKING:
    from pyspark.sql import Column


_LAMBDA_VARIABLE = re.compile(r"\b[xyz]_\d+(?=(?:, [xyz]_\d+)*\)? ->)")  # as Column's text shows them


def column_lf(name: str, expression: "str | Column") -> LabelingFunction:
    """A labeling function that is a Spark expression: it yields a vote, a class name, or null to abstain.

    Args:
        name: of the labeling function.
        expression: SQL text such as `"CASE WHEN text LIKE '%http%' THEN 1 END"`, or a Column, for instance
            `vote(positive=F.col("text").contains("http"))`. It must be deterministic. The content hash covers
            its text: not the code of a Python UDF that it calls.

    Raises:
        ValueError: if the text is empty.
    """
    if isinstance(expression, str) and not expression.strip():
        raise ValueError(f"labeling function {name!r} has an empty expression: expected SQL text.")
    return LabelingFunction(
        name=name,
        kind="column",
        rule=ColumnRule(expression if not isinstance(expression, str) else _escaped(expression)),
        content_hash=content_hash(["column", _text(expression)]),
    )


def vote_column(column: str, name: str | None = None) -> LabelingFunction:
    """A labeling function that casts the votes that already stand in a column of the table.

    For crowd workers and earlier systems: null abstains, anything else must be a legal vote or class name.

    Args:
        column: holds the votes, as integers or class names.
        name: default: the column's name.
    """
    return _existing(name or column, column, ColumnRule(sql_name(column), column=column), "votes")


def score_column(
    column: str,
    *,
    positive_from: float | None = None,
    negative_to: float | None = None,
    name: str | None = None,
) -> LabelingFunction:
    """A labeling function that votes by a score that stands in a column of the table.

    POSITIVE at scores of at least `positive_from`, NEGATIVE at scores of at most `negative_to`; between them, and
    where the score is null, it abstains. NaN is an error.

    Args:
        column: holds the scores.
        positive_from: the lowest score of POSITIVE; left out, it never votes so.
        negative_to: the highest score of NEGATIVE; left out, it never votes so.
        name: default: the column's name.

    Raises:
        ValueError: if no threshold is given, or they overlap.
    """
    refuse_bad_thresholds(name or column, positive_from, negative_to)
    score = sql_name(column)
    positive = "" if positive_from is None else f" WHEN {score} >= {float(positive_from)!r}D THEN {POSITIVE}"
    negative = "" if negative_to is None else f" WHEN {score} <= {float(negative_to)!r}D THEN {NEGATIVE}"
    not_a_number = (
        f"WHEN isnan({score}) THEN raise_error('the score is NaN: expected a number, or null to abstain')"
    )
    cases = f"CASE {not_a_number}{positive}{negative} END"
    return _existing(name or column, column, ColumnRule(cases), "score")


def refuse_bad_thresholds(name: str, positive_from: float | None, negative_to: float | None) -> None:
    """Refuse thresholds of which there is none, or that overlap.

    Raises:
        ValueError: naming them.
    """
    both = positive_from is not None and negative_to is not None
    numbers = [float(t) for t in (positive_from, negative_to) if t is not None]
    if not numbers or not all(map(math.isfinite, numbers)) or (both and numbers[1] >= numbers[0]):
        raise ValueError(
            f"labeling function {name!r} has positive_from={positive_from} and negative_to={negative_to}: expected "
            "at least one of them, finite, and negative_to below positive_from."
        )


def sql_name(column: str) -> str:
    """A column's exact name as SQL text."""
    return _escaped("`" + column.replace("`", "``") + "`")


def _text(expression: "str | Column") -> str:
    """The text of an expression; Spark numbers the variables of its lambdas anew for each, we from 0."""
    text = str(expression)
    if isinstance(expression, str):
        return text
    for number, variable in enumerate(dict.fromkeys(_LAMBDA_VARIABLE.findall(text))):
        text = re.sub(rf"\b{variable}\b", f"lambda {number}", text)
    return text


def _escaped(sql: str) -> str:
    return sql.replace("{", "{{").replace("}", "}}")


def _existing(name: str, column: str, rule: ColumnRule, what: str) -> LabelingFunction:
    return LabelingFunction(
        name=name,
        kind="existing column",
        rule=rule,
        columns=(column,),
        content_hash=content_hash(["existing column", what, column, rule.expression]),
    )
