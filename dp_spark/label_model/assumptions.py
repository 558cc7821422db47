"""What the user states beyond the votes: class balance, accuracies believed beforehand, dependent LFs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dp_spark.counting.agreement import Mask
from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.label_model.model import Vector, checked_balance


@dataclass(frozen=True, eq=False)
class Assumptions:
    """What a label model takes as given.

    Attributes:
        class_balance: (k,), adds up to 1; the same for every class if it is not given.
        is_balance_given: whether the user said so.
        prior_accuracies: (m,) accuracies that the user expects; NaN where none is given.
        dependent: (m, m) bool, symmetric: pairs of LFs that the user declares dependent.
    """

    class_balance: Vector
    is_balance_given: bool
    prior_accuracies: Vector
    dependent: Mask

    def or_prior(self, accuracies: Vector | float) -> Vector:
        """The accuracies that the user expects, and these where none is given: (m,)."""
        return np.asarray(np.where(np.isnan(self.prior_accuracies), accuracies, self.prior_accuracies))


def stated(
    counts: VoteCounts,
    class_balance: float | Sequence[float] | None = None,
    prior_accuracies: Mapping[str, float] | None = None,
    dependencies: Sequence[Sequence[str]] = (),
) -> Assumptions:
    """The assumptions in these words, checked.

    Args:
        counts: of the label matrix.
        class_balance: P(y = +1) for two classes, or k probabilities; None if it is not known.
        prior_accuracies: accuracies inside (0, 1) by the name of the LF.
        dependencies: groups of names of LFs.

    Raises:
        ValueError: if a class balance, an accuracy or a group is not one, or an LF is not there.
    """
    k = counts.num_classes
    return Assumptions(
        class_balance=checked_balance(class_balance, k),
        is_balance_given=class_balance is not None,
        prior_accuracies=_priors(counts.lf_names, prior_accuracies or {}),
        dependent=_declared(counts.lf_names, dependencies),
    )


def _priors(lf_names: Sequence[str], given: Mapping[str, float]) -> Vector:
    wrong = {
        name: p
        for name, p in given.items()
        if name not in lf_names or not isinstance(p, (int, float)) or not 0 < p < 1
    }
    if wrong:
        raise ValueError(
            f"prior_accuracies has {wrong}: expected accuracies inside (0, 1) of labeling functions out of "
            f"{list(lf_names)[:10]}."
        )
    return np.array([given.get(name, np.nan) for name in lf_names], dtype=np.float64)


def _declared(lf_names: Sequence[str], groups: Sequence[Sequence[str]]) -> Mask:
    found = np.zeros((len(lf_names), len(lf_names)), dtype=np.bool_)
    positions = {name: i for i, name in enumerate(lf_names)}
    for group in groups:
        if isinstance(group, str) or len(set(group)) < 2 or not set(group) <= set(positions):
            raise ValueError(
                f"dependencies has the group {group!r}: expected two or more different names out of "
                f"{list(lf_names)[:10]}, as in [['a', 'b'], ['c', 'd', 'e']]."
            )
        members = [positions[name] for name in group]
        found[np.ix_(members, members)] = True
    np.fill_diagonal(found, False)
    return found
