"""Which LFs push labels towards a class: their terms of the log-odds, of many rows at once."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dp_spark.iteration.array_sums import Array
from dp_spark.iteration.label_classes import Positions
from dp_spark.label_model.model import LabelModel, Vector
from dp_spark.labeling.votes import ABSTAIN, Votes, classes_of


@dataclass(frozen=True, eq=False)
class Terms:
    """What each answer of each LF adds to the score of each class, as of `LabelModel.explain`.

    Attributes:
        num_classes: k.
        values: (m, k + 1, k) float64: [i, a, c]; answer 0 is to abstain, then the classes in their order.
    """

    num_classes: int
    values: Vector

    @classmethod
    def of(cls, model: LabelModel) -> "Terms":
        """The terms of a label model."""
        answers = (ABSTAIN, *model.classes)
        rows = (np.full(len(model.lf_names), answer, dtype=np.int8) for answer in answers)
        return cls(model.num_classes, np.stack([model.explain(row).terms for row in rows], axis=1))

    def pushes(self, votes: Votes, towards: Positions, against: Positions) -> Vector:
        """What each LF adds to the log-odds of one class against another: (n, m).

        Args:
            votes: (n, m).
            towards: (n,) positions of classes, 0 to k - 1.
            against: (n,) the same.
        """
        classes = np.array(classes_of(self.num_classes))
        answers = np.where(votes == ABSTAIN, 0, np.searchsorted(classes, votes) + 1)
        lfs = np.arange(votes.shape[1])[None]
        of, other = (self.values[lfs, answers, positions[:, None]] for positions in (towards, against))
        return np.asarray(of - other)


@dataclass(frozen=True)
class Push:
    """How much an LF pushed some labels towards the class that they have, against another one.

    Attributes:
        name: of the LF.
        log_odds: the sum over these rows; below 0 if it held them back.
        num_rows: on which it pushed towards that class.
        num_led: on which no LF pushed more.
    """

    name: str
    log_odds: float
    num_rows: int
    num_led: int


def push_sums(pushes: Vector) -> dict[str, Array]:
    """Sums of (n, m) pushes, which `pushes_of` reads: three arrays of (m,)."""
    is_towards = pushes > 0
    leads = np.zeros(pushes.shape[1], dtype=np.int64)
    pushed = pushes[is_towards.any(axis=1)]
    if len(pushed):
        leads += np.bincount(pushed.argmax(axis=1), minlength=len(leads))
    return {
        "log_odds": pushes.sum(axis=0),
        "num_pushed": np.count_nonzero(is_towards, axis=0).astype(np.int64),
        "num_led": leads,
    }


def pushes_of(lf_names: tuple[str, ...], sums: npt.ArrayLike, pushed: Array, led: Array) -> tuple[Push, ...]:
    """The pushes of all LFs that there are sums of, the largest log-odds first."""
    columns = zip(lf_names, np.asarray(sums).tolist(), pushed.tolist(), led.tolist(), strict=True)
    found = [Push(name, float(odds), int(rows), int(leads)) for name, odds, rows, leads in columns]
    return tuple(sorted((push for push in found if push.log_odds), key=lambda push: -push.log_odds))
