"""What the user knows beyond the votes: class balance, expected accuracies, dependent LFs, some gold labels."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Literal

import numpy as np

from dp_spark.counting.agreement import Mask
from dp_spark.counting.gold_counts import GoldCounts
from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.label_model.intervals import intervals_of
from dp_spark.label_model.model import Vector

BalanceSource = Literal["given", "gold", "estimated", "uniform"]
UNKNOWN_OBSERVATIONS = 10.0  # what an accuracy that the votes say nothing about is worth beside gold labels
BALANCE_TOLERANCE = 1e-6  # how far a class balance may be from adding up to 1 before it is scaled to it
LEAST_OBSERVATIONS = 2.0  # of any estimate, so that one gold label does not decide alone


@dataclass(frozen=True, eq=False)
class Assumptions:
    """What a label model takes as given.

    Attributes:
        class_balance: (k,), adds up to 1; if it is not given, from gold labels, or the same for every class.
        balance_source: "given", "gold", "estimated" (by a model, from the votes) or "uniform".
        balance_errors: (k,) standard errors of the class balance; 0 if it is given, infinite if it is uniform.
        prior_accuracies: (m,) accuracies that the user expects; NaN where none is given.
        dependent: (m, m) bool, symmetric: pairs of LFs that the user declares dependent.
        gold_correct: (m,) how often each LF votes the gold class, where that is known.
        gold_votes: (m,) how often it votes there.
    """

    class_balance: Vector
    balance_source: BalanceSource
    balance_errors: Vector
    prior_accuracies: Vector
    dependent: Mask
    gold_correct: Vector
    gold_votes: Vector

    @property
    def balance_diagnostics(self) -> dict[str, object]:
        """Where the class balance comes from, and 95% intervals of it."""
        return balance_diagnostics(self.balance_source, self.class_balance, self.balance_errors)

    @property
    def has_accuracies(self) -> bool:
        """Whether anything is known of an LF's accuracy besides its votes."""
        return bool((~np.isnan(self.prior_accuracies)).any() or self.gold_votes.any())

    def or_prior(self, accuracies: Vector | float) -> Vector:
        """The accuracies that the user expects, and these where none is given: (m,)."""
        return np.asarray(np.where(np.isnan(self.prior_accuracies), accuracies, self.prior_accuracies))

    def with_gold(self, accuracies: Vector, errors: Vector) -> tuple[Vector, Vector]:
        """Accuracies and standard errors after the gold labels, each of which is one observation.

        An estimate p with standard error e stands for p (1 - p) / e² - 1 observations (a beta distribution).

        Args:
            accuracies: (m,) in (0, 1).
            errors: (m,) their standard errors; infinite where the votes say nothing, which is worth
                UNKNOWN_OBSERVATIONS.
        """
        spread = accuracies * (1 - accuracies)
        known = np.isfinite(errors)
        worth = np.where(known, spread / np.where(known, errors, 1.0) ** 2 - 1, UNKNOWN_OBSERVATIONS)
        worth = np.maximum(worth, LEAST_OBSERVATIONS)
        total = worth + self.gold_votes
        after = (worth * accuracies + self.gold_correct) / total
        seen = self.gold_votes > 0
        return np.where(seen, after, accuracies), np.where(
            seen, np.sqrt(after * (1 - after) / (total + 1)), errors
        )


def stated(
    counts: VoteCounts,
    class_balance: float | Sequence[float] | None = None,
    prior_accuracies: Mapping[str, float] | None = None,
    dependencies: Sequence[Sequence[str]] = (),
    gold: GoldCounts | None = None,
) -> Assumptions:
    """The assumptions in these words, checked.

    Args:
        counts: of the label matrix.
        class_balance: P(y = +1) for two classes, or k probabilities; None if it is not known.
        prior_accuracies: accuracies inside (0, 1) by the name of the LF.
        dependencies: groups of names of LFs.
        gold: votes of the same LFs where the truth is known.

    Raises:
        ValueError: if a class balance, an accuracy or a group is not one, an LF is not there, or gold counts
            are of other LFs or classes.
    """
    k, m = counts.num_classes, counts.num_lfs
    if gold is not None and not isinstance(gold, GoldCounts):
        raise ValueError(
            f"gold is a {type(gold).__name__}: expected GoldCounts, of count_gold(label_matrix, gold) or "
            "GoldCounts.from_votes(votes, gold)."
        )
    if gold is not None and (gold.lf_names, gold.num_classes) != (counts.lf_names, k):
        raise ValueError(
            f"the gold counts are of {list(gold.lf_names)[:10]} for {gold.num_classes} classes and the vote counts "
            f"of {list(counts.lf_names)[:10]} for {k}: expected the same. Count gold on the same label matrix."
        )
    source: BalanceSource = "uniform" if class_balance is None else "given"
    balance, errors = checked_balance(class_balance, k), np.full(k, np.inf if class_balance is None else 0.0)
    if source == "uniform" and gold is not None and gold.num_gold:
        source, balance = "gold", (gold.class_counts + 1) / (gold.num_gold + k)
        errors = np.sqrt(balance * (1 - balance) / (gold.num_gold + k + 1))  # of a Dirichlet distribution
    return Assumptions(
        class_balance=balance,
        balance_source=source,
        balance_errors=errors,
        prior_accuracies=prior_vector(counts.lf_names, prior_accuracies or {}),
        dependent=declared_pairs(counts.lf_names, dependencies),
        gold_correct=np.zeros(m) if gold is None else gold.correct.astype(np.float64),
        gold_votes=np.zeros(m) if gold is None else (gold.correct + gold.incorrect).astype(np.float64),
    )


def checked_balance(class_balance: float | Sequence[float] | None, num_classes: int) -> Vector:
    """P(y = c) for every class: (k,) float64; uniform for None.

    Args:
        class_balance: for two classes P(y = +1), or k probabilities in the order of the classes.
        num_classes: k.

    Raises:
        ValueError: if a probability is not inside (0, 1), they do not add up to 1, or are not k.
    """
    if class_balance is None:
        return np.full(num_classes, 1 / num_classes)
    expected = f"expected {num_classes} probabilities inside (0, 1) that add up to 1"
    is_single = isinstance(class_balance, Real)
    if is_single and num_classes != 2:
        raise ValueError(f"class_balance is {class_balance}: {expected}, one for each class.")
    try:
        given = np.array(class_balance, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"class_balance is {class_balance!r}: {expected}.") from None
    balance = np.array([1 - given, given]) if is_single else given
    legal = balance.shape == (num_classes,) and bool(((balance > 0) & (balance < 1)).all())
    if not legal or abs(balance.sum() - 1) > BALANCE_TOLERANCE:
        one = ", or one number, P(y = +1)" if num_classes == 2 else ""
        raise ValueError(f"class_balance is {class_balance}: {expected}{one}.")
    return np.asarray(balance / balance.sum())


def balance_diagnostics(source: str, balance: Vector, errors: Vector) -> dict[str, object]:
    """Where a class balance comes from, and its 95% intervals.

    Args:
        source: "given", "gold", "estimated" or "uniform".
        balance: (k,).
        errors: (k,) standard errors; infinite where nothing is known.
    """
    return {"class_balance": source, "class_balance_intervals": intervals_of(balance, errors).tolist()}


def prior_vector(lf_names: Sequence[str], given: Mapping[str, float]) -> Vector:
    """The accuracies that the user expects: (m,) float64; NaN where none is given.

    Raises:
        ValueError: naming those that are no accuracies, or of no LF.
    """
    wrong = {
        name: p
        for name, p in given.items()
        if name not in lf_names or not isinstance(p, Real) or not 0 < p < 1
    }
    if wrong:
        raise ValueError(
            f"prior_accuracies has {wrong}: expected accuracies inside (0, 1) of labeling functions out of "
            f"{list(lf_names)[:10]}."
        )
    return np.array([given.get(name, np.nan) for name in lf_names], dtype=np.float64)


def declared_pairs(lf_names: Sequence[str], groups: Sequence[Sequence[str]]) -> Mask:
    """The pairs of LFs that are together in a group: (m, m) bool, symmetric.

    Raises:
        ValueError: naming a group that is none.
    """
    found = np.zeros((len(lf_names), len(lf_names)), dtype=np.bool_)
    positions = {name: i for i, name in enumerate(lf_names)}
    if isinstance(groups, str):
        groups = [groups]
    for group in groups:
        is_group = isinstance(group, Iterable) and not isinstance(group, str)
        if not is_group or len(set(group)) < 2 or not set(group) <= set(positions):
            raise ValueError(
                f"dependencies has the group {group!r}: expected two or more different names out of "
                f"{list(lf_names)[:10]}, as in [['a', 'b'], ['c', 'd', 'e']]."
            )
        members = [positions[name] for name in group]
        found[np.ix_(members, members)] = True
    np.fill_diagonal(found, False)
    return found
