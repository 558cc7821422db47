"""Distant supervision: labeling functions that look a value up in a set, a dictionary or another table.

Every lookup is a join inside Spark. Sets and dictionaries of the driver are broadcast; for a table Spark
decides between broadcasting and shuffling by its size, so that it may be larger than any executor's memory.
"""

from collections.abc import Iterable, Mapping

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from dp_spark.errors import SchemaError
from dp_spark.labeling.labeling_function import LabelingFunction, content_hash
from dp_spark.labeling.rules import ColumnRule, JoinedTable, LookupRule
from dp_spark.labeling.vote import Vote
from dp_spark.progress.named_jobs import named_jobs
from dp_spark.tables import NUM_EXAMPLES, quoted, refuse_missing_columns, table_digest

_KEY, _VALUE = "lookup_key", "lookup_vote"


def lookup_lf(name: str, column: str, values: Mapping[Vote, Iterable[object]]) -> LabelingFunction:
    """A labeling function that votes for the class whose values hold that of a column; else it abstains.

    Args:
        name: of the labeling function.
        column: whose value is looked up; null abstains.
        values: sets of values by class, such as `{POSITIVE: known_spammers}`. They travel with every run: for
            more than some hundred thousand, write a table and use `read_lookup_lf`.

    Raises:
        ValueError: if there are no values, null is one, or a value belongs to two classes.
    """
    votes: dict[object, Vote] = {}
    for choice, group in values.items():
        for value in [group] if isinstance(group, str) else group:
            if value is None or votes.setdefault(value, choice) != choice:
                raise ValueError(
                    f"labeling function {name!r} has the value {value!r} for {choice!r} and for "
                    f"{votes.get(value)!r}: expected values that are not None and belong to one class."
                )
    if not votes:
        raise ValueError(f"labeling function {name!r} has no values to look up: expected at least one.")
    return LabelingFunction(
        name=name,
        kind="lookup",
        rule=LookupRule(column, votes),
        columns=(column,),
        content_hash=content_hash(["lookup", column, votes]),
    )


def read_lookup_lf(
    name: str,
    column: str,
    table: DataFrame,
    table_column: str | None = None,
    *,
    vote: Vote | None = None,
    vote_column: str | None = None,
) -> LabelingFunction:
    """A labeling function that looks the value of a column up in a table, which is read once for its digest.

    Args:
        name: of the labeling function.
        column: of the data points; null abstains.
        table: of any size. It must not change until the label matrix is written.
        table_column: its column with the values; default: called like `column`.
        vote: the vote for every value that is in the table.
        vote_column: or the table's column with the vote for each value.

    Raises:
        ValueError: if not exactly one of `vote` and `vote_column` is given.
        SchemaError: if a column is missing, the table is empty, or a value has two votes in it.
    """
    if (vote is None) == (vote_column is None):
        raise ValueError(
            f"labeling function {name!r} has vote={vote!r} and vote_column={vote_column!r}: expected one of the two."
        )
    source = table_column or column
    wanted = [source, *([vote_column] if vote_column else [])]
    refuse_missing_columns(table, {f"labeling function {name!r}": wanted}, "the lookup table")
    cast = F.lit(vote) if vote_column is None else quoted(vote_column)
    pairs = table.select(quoted(source).alias(_KEY), cast.alias(_VALUE))
    pairs = pairs.where(F.col(_KEY).isNotNull() & F.col(_VALUE).isNotNull()).distinct()
    if vote_column is not None:
        _refuse_two_votes(pairs, name, source)
    num_rows, content = table_digest(pairs)
    if num_rows == 0:
        raise SchemaError(
            f"the lookup table of labeling function {name!r} holds no value of {source!r}: expected at least one. "
            "Check its path and filters."
        )
    return LabelingFunction(
        name=name,
        kind="lookup",
        rule=ColumnRule(
            "{joined}", JoinedTable(pairs, {_KEY: column}, _VALUE), choices=() if vote is None else (vote,)
        ),
        columns=(column,),
        content_hash=content_hash(["lookup", column, content]),
    )


def _refuse_two_votes(pairs: DataFrame, name: str, source: str) -> None:
    counted = pairs.groupBy(_KEY).agg(F.count(F.lit(1)).alias("votes")).where(F.col("votes") > 1)
    with named_jobs(pairs.sparkSession, f"checking the lookup table of {name}"):
        twice = [row[_KEY] for row in counted.limit(NUM_EXAMPLES).collect()]
    if twice:
        raise SchemaError(
            f"the lookup table of labeling function {name!r} has several votes for one value of {source!r}, such "
            f"as {twice}: expected one vote for each value. Remove the others."
        )
