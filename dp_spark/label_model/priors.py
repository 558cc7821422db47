"""What is believed of an LF's accuracy before, or without, evidence from other LFs.

Two facts stand in for it. LFs that agree often are accurate on the whole (one pooled accuracy, from all
informative pairs); and the specific overrides the general: an LF that fires seldom fires for a reason. On nine
real label matrices log-odds of being right fall with log coverage in seven (docs/method.md).
"""

import numpy as np

from dp_spark.counting.agreement import Mask, is_one_sided
from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.label_model.model import Vector

DEFAULT_ACCURACY = 0.7  # of an LF whose accuracy is not known; where all are equal, no ranks depend on it
SPECIFICITY = 0.5  # the odds of being right fall with the square root of the coverage
PRIOR_PAIRS = 10.0  # joint votes that DEFAULT_ACCURACY counts as, when agreements are pooled
LEAST_POOLED = 0.1  # of q: LFs that agree no more than chance still count as a little better than chance


def pooled_accuracy(counts: VoteCounts, pairs: Mask) -> float:
    """The accuracy that LFs would have if all had the same: k classes, p = ((k - 1) q + 1) / k.

    Args:
        counts: of m LFs.
        pairs: (m, m) bool, symmetric: whose agreements say something.

    Returns:
        p with q² = (k a - 1) / (k - 1), where a is the share of joint votes that agree; DEFAULT_ACCURACY
        counts as PRIOR_PAIRS of them.
    """
    k = counts.num_classes
    num_pairs = float(counts.overlaps[pairs].sum()) / 2
    num_agreements = float(counts.agreements[pairs].sum()) / 2
    default = DEFAULT_ACCURACY**2 + (1 - DEFAULT_ACCURACY) ** 2 / (k - 1)
    agreement = (num_agreements + PRIOR_PAIRS * default) / (num_pairs + PRIOR_PAIRS)
    q = max(float(np.sqrt(max((k * agreement - 1) / (k - 1), 0.0))), LEAST_POOLED)
    return ((k - 1) * q + 1) / k


def specific_accuracies(counts: VoteCounts, mean: float = DEFAULT_ACCURACY) -> Vector:
    """Accuracies of one-sided LFs whose log-odds fall by SPECIFICITY per unit of log coverage: (m,).

    An LF that votes for several classes covers much by its nature, and has the mean.

    Args:
        counts: of m LFs.
        mean: the accuracy of a one-sided LF with the coverage of an average one-sided vote's LF.
    """
    one_sided = is_one_sided(counts)
    num_votes = np.where(one_sided, counts.num_votes, 0).astype(np.float64)
    log_votes = np.log(np.maximum(num_votes, 1.0))
    average = float(num_votes @ log_votes / max(num_votes.sum(), 1.0))
    log_odds = np.log(mean / (1 - mean)) - np.where(one_sided, SPECIFICITY * (log_votes - average), 0.0)
    specific = within_records(np.asarray(1 / (1 + np.exp(-log_odds))), counts)
    return np.asarray(np.where(one_sided, specific, mean))


def within_records(accuracies: Vector, counts: VoteCounts) -> Vector:
    """Accuracies no closer to 0 and 1 than N votes can show: as after one right and one wrong more (Laplace)."""
    least = 1 / (counts.num_votes + 2)
    return np.asarray(np.clip(accuracies, least, 1 - least))
