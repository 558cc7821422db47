"""Majority votes as label models: no accuracy is fitted.

Unlike counting votes they give calibrated confidences: a fixed accuracy of 0.7 has a lower log loss than
any fitted model that was published for ten real label matrices.
"""

import numpy as np

from dp_spark.counting.agreement import informative_pairs
from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.label_model.model import LabelModel, Vector, log_odds_weights
from dp_spark.label_model.priors import pooled_accuracy, specific_accuracies


def majority_vote(counts: VoteCounts, class_balance: Vector) -> LabelModel:
    """The label model in which every LF has the same accuracy: that of how often they agree.

    Args:
        counts: of the label matrix. LFs whose agreements say nothing have the accuracy 0.7.
        class_balance: (k,), adds up to 1.
    """
    pooled = pooled_accuracy(counts, informative_pairs(counts))
    return _not_fitted("majority_vote", counts, class_balance, np.full(counts.num_lfs, pooled))


def specific_vote(counts: VoteCounts, class_balance: Vector) -> LabelModel:
    """A majority vote in which the specific overrides the general: an LF counts less the more it covers.

    It differs from the majority vote where that is tied, or nearly. For LFs whose accuracies the votes do
    not determine, such as LFs that each vote for one class only.

    Args:
        counts: of the label matrix.
        class_balance: (k,), adds up to 1.
    """
    pooled = pooled_accuracy(counts, informative_pairs(counts))
    return _not_fitted("specific_vote", counts, class_balance, specific_accuracies(counts, pooled))


def _not_fitted(name: str, counts: VoteCounts, class_balance: Vector, accuracies: Vector) -> LabelModel:
    return LabelModel(
        model=name,
        lf_names=counts.lf_names,
        lf_hashes=counts.lf_hashes,
        num_classes=counts.num_classes,
        accuracies=accuracies,
        weights=log_odds_weights(accuracies, counts.num_classes),
        class_balance=class_balance,
        diagnostics={"status": "not fitted", "warnings": []},
    )
