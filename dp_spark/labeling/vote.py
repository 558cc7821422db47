"""`vote`: from one condition per class to a vote, in one line, for every kind of labeling function."""

from collections.abc import Mapping
from typing import overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dp_spark.labeling.votes import NEGATIVE, POSITIVE

Vote = int | str
_LEFT_OUT = object()  # None is a condition: that of a null


@overload
def vote(*, positive: bool = ..., negative: bool = ...) -> int | None: ...
@overload
def vote(by_class: Mapping[Vote, object], /) -> object: ...
@overload
def vote(*, positive: object = ..., negative: object = ...) -> object: ...
def vote(
    by_class: Mapping[Vote, object] | None = None,
    /,
    *,
    positive: object = _LEFT_OUT,
    negative: object = _LEFT_OUT,
) -> object:
    """The class whose condition holds; an abstention if none holds, or more than one.

    Conditions are truth values in a function of one data point, vectors (pandas, NumPy, Arrow) in a
    function of a batch, Spark Columns in a column LF; null counts as false.

    Args:
        by_class: condition by class, for tasks of more classes or with class names.
        positive: the condition for POSITIVE.
        negative: the condition for NEGATIVE.

    Returns:
        A vote or None; for vectors an array of int8 (of votes or None, as objects, if classes are given
        by name); for Columns a Column.

    Raises:
        ValueError: if no condition is given, or `by_class` together with the others.

    >>> vote(positive="free" in "free coins", negative="song" in "free coins")
    1
    >>> vote({"sports": True, "politics": True}) is None
    True
    >>> vote(positive=np.array([True, True, False]), negative=np.array([False, True, True]))
    array([ 1,  0, -1], dtype=int8)
    """
    sides: dict[Vote, object] = {POSITIVE: positive, NEGATIVE: negative}
    by_side = {choice: condition for choice, condition in sides.items() if condition is not _LEFT_OUT}
    if by_class is not None and by_side:
        raise ValueError("vote got conditions by class and positive or negative: expected one of the two.")
    conditions = {**by_side, **(by_class or {})}
    if not conditions:
        raise ValueError("vote got no condition: expected positive=..., negative=..., or one per class.")
    kinds = {_kind(condition) for condition in conditions.values()}
    if "column" in kinds:
        return _vote_of_columns(conditions)
    return _vote_of_vectors(conditions) if "vector" in kinds else _vote_of_values(conditions)


def _kind(condition: object) -> str:
    module = type(condition).__module__
    if module.startswith("pyspark.sql"):
        return "column"
    is_vector = isinstance(condition, (np.ndarray, pa.Array, pa.ChunkedArray)) or module.startswith("pandas.")
    return "vector" if is_vector else "value"


def _vote_of_values(conditions: Mapping[Vote, object]) -> Vote | None:
    holding = [choice for choice, condition in conditions.items() if condition]
    return holding[0] if len(holding) == 1 else None


def _vote_of_vectors(conditions: Mapping[Vote, object]) -> npt.NDArray[np.generic]:
    truths = {choice: _truth(condition) for choice, condition in conditions.items()}
    (choice, truth), *others = truths.items()
    if not others and not isinstance(choice, str):  # the usual case, in one operation
        return truth * np.int8(choice)
    shape = np.broadcast_shapes(*(truth.shape for truth in truths.values()))  # a scalar holds for all
    num_holding = sum((truth.astype(np.int16) for truth in truths.values()), np.zeros(shape, dtype=np.int16))
    by_name = any(isinstance(choice, str) for choice in truths)
    votes = np.full(shape, None if by_name else 0, dtype=object if by_name else np.int8)
    for choice, truth in truths.items():
        votes[truth & (num_holding == 1)] = choice
    return votes


def _truth(condition: object) -> npt.NDArray[np.bool_]:
    if isinstance(condition, pa.ChunkedArray):
        condition = condition.combine_chunks()
    if isinstance(condition, pa.Array):
        condition = condition.fill_null(False).to_numpy(zero_copy_only=False)
    elif _kind(condition) == "vector" and not isinstance(condition, np.ndarray):
        is_null = np.asarray(condition.isna())  # type: ignore[attr-defined] # a pandas Series
        if is_null.any():
            values = np.array(condition, dtype=object)
            values[is_null] = False
            condition = values
    return np.asarray(condition).astype(bool)


def _vote_of_columns(conditions: Mapping[Vote, object]) -> object:
    """One CASE in another, so that Spark evaluates each condition at most once per row."""
    from pyspark.sql import Column
    from pyspark.sql import functions as F

    truths = [
        (choice, condition if isinstance(condition, Column) else F.lit(bool(condition)))
        for choice, condition in conditions.items()
    ]
    decided = F.lit(None)
    for i, (choice, truth) in reversed(list(enumerate(truths))):
        alone = F.lit(choice)
        for _, other in truths[i + 1 :]:
            alone = F.when(F.coalesce(other, F.lit(False)), F.lit(None)).otherwise(alone)
        decided = F.when(truth, alone).otherwise(decided)
    return decided
