"""The label model of one accuracy per LF: what every fit of accuracies, and none, ends in."""

from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.label_model.assumptions import Assumptions
from dp_spark.label_model.model import Diagnostics, LabelModel, Vector, log_odds_weights


def accuracy_model(
    name: str,
    counts: VoteCounts,
    assumptions: Assumptions,
    accuracies: Vector,
    *,
    intervals: Vector | None = None,
    opinions: Vector | float = 1.0,
    diagnostics: Diagnostics,
) -> LabelModel:
    """The label model with these accuracies and the assumed class balance.

    Args:
        name: of the model.
        counts: of the label matrix.
        assumptions: the class balance, which the diagnostics then tell of.
        accuracies: (m,) in (0, 1).
        intervals: (m, 2) their 95% intervals; default: 0 to 1, nothing is known.
        opinions: by what each LF's weight is divided, of `votes_per_opinion`.
        diagnostics: the others.
    """
    return LabelModel(
        model=name,
        lf_names=counts.lf_names,
        lf_hashes=counts.lf_hashes,
        num_classes=counts.num_classes,
        accuracies=accuracies,
        weights=log_odds_weights(accuracies, counts.num_classes) / opinions,
        class_balance=assumptions.class_balance,
        intervals=intervals,
        diagnostics={**diagnostics, **assumptions.balance_diagnostics},
    )
