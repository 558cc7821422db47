"""The data points behind the counts: on which LFs disagree, or vote in a certain way.

Nothing runs until the result is used, and no Python worker then: the votes are unpacked in the JVM.
"""

from collections.abc import Collection, Mapping
from functools import reduce
from operator import and_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from dp_spark.labeling.matrix import LabelMatrix
from dp_spark.labeling.votes import ABSTAIN, classes_of
from dp_spark.tables import refuse_reserved_keys


def conflicting_rows(label_matrix: LabelMatrix, first: str, second: str) -> DataFrame:
    """The data points on which two LFs both vote, and differ.

    To read them, join them to the table that the votes were cast on:

        conflicting_rows(label_matrix, "has_link", "short").join(comments, on=["id"], how="inner").show()

    Args:
        label_matrix: preferably a written one; else its labeling functions run when the result is used.
        first: the name of an LF.
        second: the name of another one.

    Returns:
        The key columns, and the votes of both, tinyint, named by the LFs.

    Raises:
        ValueError: if an LF is not in the label matrix, or both are the same.
        SchemaError: if a key column has the name of one of the LFs.
    """
    if first == second:
        raise ValueError(
            f"{first!r} was named twice: expected two different labeling functions, since an LF never has "
            "a conflict with itself. Name another one."
        )
    rows, (a, b) = _votes_of(label_matrix, (first, second))
    return _named(label_matrix, rows.where((a != ABSTAIN) & (b != ABSTAIN) & (a != b)), (first, second))


def rows_where(label_matrix: LabelMatrix, votes: Mapping[str, int]) -> DataFrame:
    """The data points on which the named LFs cast exactly these votes, whatever others do.

    To read the comments that one LF takes for spam and another one says nothing about:

        rows = rows_where(label_matrix, {"has_link": POSITIVE, "short": ABSTAIN})
        rows.join(comments, on=["id"], how="inner").show()

    Args:
        label_matrix: preferably a written one; else its labeling functions run when the result is used.
        votes: by the name of the LF: 0 if it abstains, else one of `classes_of(num_classes)`.

    Returns:
        The key columns, and the votes of these LFs, tinyint, named by the LFs.

    Raises:
        ValueError: if no LF is named, an LF is not in the label matrix, or a vote is not legal.
        SchemaError: if a key column has the name of one of the LFs.
    """
    if not votes:
        raise ValueError("no votes were given: expected those of one or more labeling functions, by name.")
    legal = (ABSTAIN, *classes_of(label_matrix.num_classes))
    illegal = {name: vote for name, vote in votes.items() if vote not in legal}
    if illegal:
        raise ValueError(f"the votes {illegal} are not legal: expected one of {legal}. Correct them.")
    rows, columns = _votes_of(label_matrix, votes)
    wanted = (column == int(vote) for column, vote in zip(columns, votes.values(), strict=True))
    return _named(label_matrix, rows.where(reduce(and_, wanted)), votes)


def _votes_of(label_matrix: LabelMatrix, names: Collection[str]) -> tuple[DataFrame, list[Column]]:
    """The key columns and the votes of these LFs, as columns named by position: any name may occur twice."""
    unknown = [name for name in names if name not in label_matrix.lf_names]
    if unknown:
        raise ValueError(
            f"the label matrix has no votes of {unknown}: it has {list(label_matrix.lf_names)}. Correct the "
            "name, or apply the labeling function."
        )
    refuse_reserved_keys(label_matrix.key, tuple(names))
    view, num_keys = label_matrix.columns(), len(label_matrix.key)
    numbered = view.toDF(*(f"c{i}" for i in range(len(view.columns))))
    votes = [f"c{num_keys + label_matrix.lf_names.index(name)}" for name in names]
    return numbered.select(*(f"c{i}" for i in range(num_keys)), *votes), [F.col(name) for name in votes]


def _named(label_matrix: LabelMatrix, rows: DataFrame, names: Collection[str]) -> DataFrame:
    return rows.toDF(*label_matrix.key, *names)
