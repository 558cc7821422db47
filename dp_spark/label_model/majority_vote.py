"""Majority votes as label models: no accuracy is fitted.

Unlike counting votes they give calibrated confidences: how sure one vote is follows from how often LFs agree
(a fixed accuracy of 0.7 where that says nothing).
"""

import numpy as np

from dp_spark.counting.agreement import informative_pairs
from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.label_model.accuracy_model import accuracy_model
from dp_spark.label_model.assumptions import Assumptions
from dp_spark.label_model.intervals import intervals_of
from dp_spark.label_model.model import Diagnostics, LabelModel
from dp_spark.label_model.priors import pooled_accuracy, specific_accuracies

NOT_FITTED: Diagnostics = {"status": "not fitted", "warnings": []}


def majority_vote(counts: VoteCounts, assumptions: Assumptions) -> LabelModel:
    """The label model in which every LF has the same accuracy: that of how often they agree.

    Args:
        counts: of the label matrix. If no agreement says anything, the accuracy is 0.7.
        assumptions: the class balance.
    """
    pooled = pooled_accuracy(counts, informative_pairs(counts))
    accuracies = np.full(counts.num_lfs, pooled)
    return accuracy_model("majority_vote", counts, assumptions, accuracies, diagnostics=NOT_FITTED)


def specific_vote(counts: VoteCounts, assumptions: Assumptions) -> LabelModel:
    """A majority vote in which the specific overrides the general: an LF counts less the more it covers.

    It differs from the majority vote where that is tied, or nearly. For LFs whose accuracies the votes do
    not determine, such as LFs that each vote for one class only.

    Args:
        counts: of the label matrix.
        assumptions: the class balance; prior accuracies and gold labels, which stand for single LFs.
    """
    pooled = pooled_accuracy(counts, informative_pairs(counts))
    accuracies = assumptions.or_prior(specific_accuracies(counts, pooled))
    accuracies, errors = assumptions.with_gold(accuracies, np.full(counts.num_lfs, np.inf))
    return accuracy_model(
        "specific_vote",
        counts,
        assumptions,
        accuracies,
        intervals=intervals_of(accuracies, errors),
        diagnostics=NOT_FITTED,
    )
