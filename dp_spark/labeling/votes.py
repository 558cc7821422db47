"""Votes: which values are legal, and what the classes that they stand for are called.

Binary tasks vote -1 or +1, k-class tasks 1..k; 0 abstains in both, and so does `None`.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

NEGATIVE = -1
ABSTAIN = 0
POSITIVE = 1

MAX_CLASSES = 127  # a vote is stored as one int8

Votes = npt.NDArray[np.int8]


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


@dataclass(frozen=True)
class Classes:
    """The classes of a task: how many there are and, if the user named them, what they are called.

    Attributes:
        num_classes: 2 to 127.
        names: none, or one per class in the order of `classes_of`: for two classes the negative one first.

    Raises:
        ValueError: if the number is out of range, or names are not `num_classes` different texts.
    """

    num_classes: int = 2
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        classes = classes_of(self.num_classes)
        if self.names and len(set(self.names)) != len(classes):
            raise ValueError(
                f"class_names is {list(self.names)}: expected {len(classes)} different names, one for each "
                f"of the classes {classes}, in this order."
            )

    @classmethod
    def of(cls, num_classes: int | None, names: Sequence[str]) -> "Classes":
        """The classes of a task whose number, if it is not given, is that of the names, or 2."""
        return cls(num_classes or len(names) or 2, tuple(names))

    @functools.cached_property
    def votes(self) -> tuple[int, ...]:
        """The votes that are not abstentions."""
        return classes_of(self.num_classes)

    @functools.cached_property
    def legal_votes(self) -> range:
        """The votes, abstentions among them: the integers from the least to the greatest, without a gap."""
        return range(min(ABSTAIN, *self.votes), max(self.votes) + 1)

    @functools.cached_property
    def vote_of_name(self) -> dict[str, int]:
        """The vote that every class name stands for."""
        return dict(zip(self.names, self.votes, strict=True)) if self.names else {}

    @property
    def labels(self) -> tuple[str, ...]:
        """What reports call the classes: their names, or their votes."""
        return self.names or tuple(map(str, self.votes))

    def vote_of(self, answer: object) -> int | None:
        """The vote that an answer stands for, 0 for None, or None if it stands for no vote.

        An answer is None, an integer (Python's or NumPy's) that is 0 or one of the classes, or the name of
        a class. Booleans, floats (also 1.0 and NaN) and other text are not votes.
        """
        if answer is None:
            return ABSTAIN
        if isinstance(answer, str):
            return self.vote_of_name.get(answer)
        if isinstance(answer, (int, np.integer)) and not isinstance(answer, bool):
            return int(answer) if answer == ABSTAIN or answer in self.votes else None
        return None

    def expected(self) -> str:
        """What an error says was expected."""
        names = f" or {self.names}" if self.names else ""
        return f"expected one of {self.votes}{names}, or 0 or None to abstain"


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
