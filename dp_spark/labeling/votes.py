"""Votes: which values are legal, and how a labeling function's answers become them.

Binary tasks vote -1 or +1, k-class tasks 1..k; 0 abstains in both, and so does `None`.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

NEGATIVE = -1
ABSTAIN = 0
POSITIVE = 1

MAX_CLASSES = 127  # a vote is stored as one int8

Votes = npt.NDArray[np.int8]

_PLAIN_TYPES = frozenset({int, type(None)})


def classes_of(num_classes: int) -> tuple[int, ...]:
    """The votes that are not abstentions: (-1, 1) for two classes, else (1, ..., k).

    Args:
        num_classes: 2 to 127.

    Raises:
        ValueError: if `num_classes` is outside that range.

    >>> classes_of(2), classes_of(3)
    ((-1, 1), (1, 2, 3))
    """
    if not 2 <= num_classes <= MAX_CLASSES:
        raise ValueError(
            f"num_classes is {num_classes}: expected 2 to {MAX_CLASSES}, since a vote is stored as one int8."
        )
    return (NEGATIVE, POSITIVE) if num_classes == 2 else tuple(range(1, num_classes + 1))


def first_illegal(answers: Sequence[object], num_classes: int) -> int | None:
    """The position of the first answer that is not a vote, or None if all are.

    An answer is a vote if it is `None` or an integer (Python's or NumPy's) that is 0 or one of
    `classes_of(num_classes)`. Booleans, floats (also 1.0 and NaN) and text are not votes.

    Args:
        answers: what a labeling function returned, one per data point.
        num_classes: 2 to 127.
    """
    legal = {ABSTAIN, *classes_of(num_classes)}
    if _PLAIN_TYPES.issuperset(map(type, answers)) and legal.issuperset(set(answers) - {None}):
        return None
    for position, answer in enumerate(answers):
        is_integer = isinstance(answer, (int, np.integer)) and not isinstance(answer, bool)
        if answer is not None and not (is_integer and answer in legal):
            return position
    return None


def as_votes(answers: Sequence[object]) -> Votes:
    """Answers without illegal values as (len(answers),) int8; None becomes 0."""
    return np.array([answer or ABSTAIN for answer in answers], dtype=np.int8)


def check_votes(votes: Votes, num_classes: int) -> None:
    """Refuse a label matrix that is not two-dimensional int8 with legal votes.

    Args:
        votes: (n, m), values 0 or one of `classes_of(num_classes)`.
        num_classes: 2 to 127.

    Raises:
        ValueError: naming the shape, dtype, or the first illegal value with its position.
    """
    if votes.ndim != 2 or not np.issubdtype(votes.dtype, np.integer):
        raise ValueError(
            f"votes has shape {votes.shape} and dtype {votes.dtype}: expected an (n, m) integer array, "
            "one row per data point, one column per labeling function."
        )
    legal = (ABSTAIN, *classes_of(num_classes))
    illegal = ~np.isin(votes, legal)
    if illegal.any():
        row, column = np.argwhere(illegal)[0]
        raise ValueError(
            f"votes[{row}, {column}] is {votes[row, column]}: expected one of {legal} for num_classes="
            f"{num_classes}. Correct the vote, or pass the number of classes that the votes use."
        )
