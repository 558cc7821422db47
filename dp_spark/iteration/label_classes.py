"""What a data point is labeled as: its most probable class; nothing if several tie, or if no LF votes on it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dp_spark.label_model.confidence import TIED, predicted_shares
from dp_spark.label_model.model import LabelModel, Vector
from dp_spark.labeling.matrix import LabelMatrix
from dp_spark.labeling.votes import Classes, Votes
from dp_spark.labels.label import check_same_lfs

UNCOVERED = "uncovered"

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LabeledVotes:
    """A label matrix and the label model that makes labels of it.

    Attributes:
        matrix: preferably a written one; else its labeling functions run at every use.
        model: of the same LFs.

    Raises:
        ValueError: if they are not of the same LFs, versions of them, and classes.
    """

    matrix: LabelMatrix
    model: LabelModel

    def __post_init__(self) -> None:
        check_same_lfs(self.matrix, self.model)

    @property
    def classes(self) -> Classes:
        """The classes, with their names if they have some."""
        return Classes(self.matrix.num_classes, self.matrix.class_names)


def class_titles(classes: Classes) -> tuple[str, ...]:
    """What texts call the classes: their names; without names "-1" and "+1", or "1" to "k"."""
    if classes.names or classes.num_classes > 2:
        return classes.labels
    return tuple(f"{vote:+d}" for vote in classes.votes)


def position_titles(classes: Classes) -> tuple[str, ...]:
    """What texts call the positions of `label_positions`: k + 2 texts."""
    return (*class_titles(classes), TIED, UNCOVERED)


def label_positions(probs: Vector, is_covered: npt.NDArray[np.bool_]) -> Positions:
    """What rows are labeled as: 0 to k - 1, the classes; k, several tie as most probable; k + 1, uncovered.

    A row without votes is uncovered whatever its probabilities: they are the class balance's.

    Args:
        probs: (n, k), probabilities.
        is_covered: (n,), whether an LF votes.

    >>> label_positions(np.array([[0.2, 0.8], [0.5, 0.5], [0.2, 0.8]]), np.array([True, True, False])).tolist()
    [1, 2, 3]
    """
    num_classes = probs.shape[1]
    shares = predicted_shares(probs)
    positions = np.where(shares.max(axis=1) < 1, num_classes, shares.argmax(axis=1))
    return np.asarray(np.where(is_covered, positions, num_classes + 1), dtype=np.int64)


def labeled(model: LabelModel, votes: Votes) -> tuple[Vector, Positions]:
    """The probabilities of rows of votes, (n, k), and what they are labeled as, (n,)."""
    probs = model.predict_proba(votes)
    return probs, label_positions(probs, (votes != 0).any(axis=1))
