"""Labeling functions over the partitions of a table.  (Tutorial, step 1.)

One pass in Arrow batches: a batch becomes data points, every LF votes on each of them, and the votes
leave as one binary column beside the key.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.types import BinaryType, StructType

from dp_spark.errors import IllegalVoteError, LabelingFunctionError
from dp_spark.labeling.data_point import data_points
from dp_spark.labeling.functions import LabelingFunction
from dp_spark.labeling.matrix import VOTES_COLUMN, LabelMatrix, pack_votes
from dp_spark.labeling.votes import Votes, as_votes, classes_of, first_illegal
from dp_spark.tables import BatchPass, map_batches, quoted, refuse_missing_columns, refuse_reserved_keys
from dp_spark.worker_errors import marked


def apply_lfs(
    df: DataFrame, lfs: Sequence[LabelingFunction], *, key: Sequence[str], num_classes: int = 2
) -> LabelMatrix:
    """The label matrix of `lfs` on the rows of `df`; nothing runs until it is written or counted.

    Write it with `write_label_matrix` before using it twice: each use runs the LFs again.

    Args:
        df: one row per data point.
        lfs: m labeling functions with different names.
        key: columns of `df` that identify a row; kept in the label matrix.
        num_classes: 2 (votes -1 and +1) to 127 (votes 1 to k).

    Raises:
        ValueError: if there are no LFs, one is not a LabelingFunction, or two have one name.
        SchemaError: if `df` lacks a key column or a column that an LF reads.
        LabelingFunctionError, IllegalVoteError: from the writing or counting, naming LF and row key.
    """
    _check_lfs(lfs)
    classes_of(num_classes)
    _check_columns(df, lfs, key)
    shown = _columns_to_ship(df, lfs, key)
    schema = StructType([df.schema[name] for name in key]).add(VOTES_COLUMN, BinaryType(), nullable=False)
    votes = map_batches(df.select(*map(quoted, shown)), _voter(tuple(lfs), tuple(key), num_classes), schema)
    return LabelMatrix(
        df=votes,
        key=tuple(key),
        lf_names=tuple(lf.name for lf in lfs),
        lf_hashes=tuple(lf.content_hash for lf in lfs),
        num_classes=num_classes,
    )


def cast_votes(
    points: Sequence[object],
    lfs: Sequence[LabelingFunction],
    num_classes: int,
    name_row: Callable[[int], str],
) -> Votes:
    """The votes of LFs on data points: (len(points), len(lfs)) int8.

    Args:
        points: data points, with columns as attributes.
        lfs: m labeling functions.
        num_classes: 2 to 127.
        name_row: says in an error which row is meant, given its position.

    Raises:
        LabelingFunctionError: if an LF raises.
        IllegalVoteError: if an LF returns something else than a vote or None.
    """
    votes = np.zeros((len(points), len(lfs)), dtype=np.int8)
    for column, lf in enumerate(lfs):
        answers = _answers(points, lf, name_row)
        illegal = first_illegal(answers, num_classes)
        if illegal is not None:
            raise IllegalVoteError(
                f"labeling function {lf.name!r} returned {answers[illegal]!r} for the row "
                f"{name_row(illegal)}: expected one of {classes_of(num_classes)}, or 0 or None to abstain. "
                "Return an integer vote."
            )
        votes[:, column] = as_votes(answers)
    return votes


def _answers(points: Sequence[object], lf: LabelingFunction, name_row: Callable[[int], str]) -> list[object]:
    answers: list[object] = []
    function, resources = lf.function, _loaded_resources(lf)
    try:
        for x in points:
            answers.append(function(x, **resources))
    except (
        Exception,
        SystemExit,
    ) as problem:  # the user's code: whatever it raises, the LF and row are named
        raise LabelingFunctionError(
            f"labeling function {lf.name!r} raised {type(problem).__name__}: {problem} for the row "
            f"{name_row(len(answers))}. Correct it, or let it return None for rows like this one."
        ) from problem
    return answers


def _loaded_resources(lf: LabelingFunction) -> dict[str, object]:
    try:
        return lf.loaded_resources()
    except (Exception, SystemExit) as problem:  # the user's code
        raise LabelingFunctionError(
            f"labeling function {lf.name!r} could not load its resources: "
            f"{type(problem).__name__}: {problem}. Is what they are loaded from there on every machine?"
        ) from problem


def _voter(lfs: tuple[LabelingFunction, ...], key: tuple[str, ...], num_classes: int) -> BatchPass:
    def vote(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            keys = [batch.column(batch.schema.get_field_index(name)) for name in key]

            def name_row(row: int, keys: list[pa.Array] = keys) -> str:
                return str({name: column[row].as_py() for name, column in zip(key, keys, strict=True)})

            try:
                votes = cast_votes(data_points(batch), lfs, num_classes, name_row)
            except LabelingFunctionError as problem:
                raise marked(problem) from problem
            yield pa.RecordBatch.from_arrays([*keys, pack_votes(votes)], names=[*key, VOTES_COLUMN])

    return vote


def _check_lfs(lfs: Sequence[LabelingFunction]) -> None:
    if not lfs:
        raise ValueError("there are no labeling functions: expected at least one in the list.")
    for lf in lfs:
        if not isinstance(lf, LabelingFunction):
            raise ValueError(
                f"{lf!r} is not a labeling function: put @labeling_function above its definition."
            )
    twice = sorted(name for name, count in Counter(lf.name for lf in lfs).items() if count > 1)
    if twice:
        raise ValueError(
            f"labeling functions share the names {twice}: expected different names. Rename them, or pass "
            "name=... to @labeling_function."
        )


def _check_columns(df: DataFrame, lfs: Sequence[LabelingFunction], key: Sequence[str]) -> None:
    if not key or len(set(key)) != len(key):
        raise ValueError(f"key is {list(key)}: expected the names of one or more different columns.")
    refuse_reserved_keys(key, (VOTES_COLUMN, *(lf.name for lf in lfs)))
    wanted: dict[str, Sequence[str]] = {"the key": key}
    wanted.update({f"labeling function {lf.name!r}": lf.columns for lf in lfs if lf.columns is not None})
    refuse_missing_columns(df, wanted, "the table")


def _columns_to_ship(df: DataFrame, lfs: Sequence[LabelingFunction], key: Sequence[str]) -> list[str]:
    """The key and the columns that the LFs read; all columns if that is not known of some LF."""
    read: set[str] = set(key)
    for lf in lfs:
        read.update(df.columns if lf.columns is None else lf.columns)
    return [name for name in df.columns if name in read]
