"""Gold labels that are written as names of classes, turned into votes when the table is opened."""

from collections.abc import Iterable

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StringType

from dp_spark.errors import SchemaError
from dp_spark.labeling.votes import Classes
from dp_spark.tables import quoted
from dp_spark.worker_errors import raised_in_spark

_MAX_CHARACTERS = 40  # of a text in a message


def with_gold_votes(points: DataFrame, columns: Iterable[str], classes: Classes) -> DataFrame:
    """The table, its gold labels as votes: texts become the votes of the classes that they name.

    Null and the empty text stay unknown. Another text fails the job that reads it, with a SchemaError that says so.

    Args:
        points: the table.
        columns: those with gold labels; one that is not there, or is no text, is left as it is.
        classes: of the task; without names nothing is changed.
    """
    texts = [
        name
        for name in columns
        if classes.names and name in points.columns and isinstance(points.schema[name].dataType, StringType)
    ]
    return points.withColumns({name: _vote_of_name(name, classes) for name in texts}) if texts else points


def _vote_of_name(column: str, classes: Classes) -> Column:
    text = quoted(column)
    vote = F.when(text.isNull() | (text == ""), F.lit(None).cast("int"))
    for name, number in classes.vote_of_name.items():
        vote = vote.when(text == F.lit(name), F.lit(number))
    message = F.concat(
        F.lit(f"{column!r} holds '"),
        F.substring(text, 1, _MAX_CHARACTERS),
        F.lit(
            f"': expected one of {list(classes.names)}, and nothing (null, or an empty text) where the truth is "
            "not known. Correct the text, or add the name to class_names."
        ),
    )
    return vote.otherwise(raised_in_spark(SchemaError, message).cast("int"))
