"""The label model of one accuracy per LF: what every fit of accuracies, and none, ends in."""

import numpy as np

from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.label_model.assumptions import Assumptions
from dp_spark.label_model.model import Diagnostics, LabelModel, Vector, intervals_of, log_odds_weights


def accuracy_model(
    name: str,
    counts: VoteCounts,
    assumptions: Assumptions,
    accuracies: Vector,
    *,
    errors: Vector | None = None,
    opinions: Vector | float = 1.0,
    diagnostics: Diagnostics,
) -> LabelModel:
    """The label model with these accuracies and the assumed class balance.

    Args:
        name: of the model.
        counts: of the label matrix.
        assumptions: the class balance, which the diagnostics then tell of.
        accuracies: (m,) in (0, 1).
        errors: (m,) their standard errors; default: infinite, nothing is known.
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
        intervals=intervals_of(accuracies, np.full(counts.num_lfs, np.inf) if errors is None else errors),
        diagnostics={**diagnostics, **assumptions.balance_diagnostics},
    )
