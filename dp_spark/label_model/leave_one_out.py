"""How well a label model predicts each vote from the other votes on the same data point.

P(λ_i = a | the others, i votes) = Σ_c P(y = c | the others) P(λ_i = a | y = c), with one accuracy per LF. It needs
no gold: LFs that vote for one class only are left out, as their votes say nothing when it is known that they
vote. From the pattern counts.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dp_spark.counting.agreement import Mask, is_one_sided
from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.label_model.model import LabelModel, Vector
from dp_spark.labeling.votes import classes_of

Indices = npt.NDArray[np.int64]

MAX_SCORES = 1 << 22  # votes times classes that are looked at: 32 MiB; of more, evenly chosen patterns
DISCOUNTS = np.linspace(0.1, 1.0, 19)


@dataclass(frozen=True)
class HiddenVotes:
    """Votes that are to be predicted from those of the other LFs on the same data point.

    Attributes:
        pattern: (r,) int64: the vote vector that each is part of.
        lf: (r,) int64: who votes.
        own: (r,) int64: the position of its class.
        count: (r,) float64: how often the vector occurs.
        votes: (num_patterns, m) int8: the vote vectors.
        dependent: (m, m) bool: LFs whose votes would give a hidden one away; they are hidden with it.
    """

    pattern: Indices
    lf: Indices
    own: Indices
    count: Vector
    votes: npt.NDArray[np.int8]
    dependent: Mask


def hidden_votes(counts: VoteCounts, dependent: Mask) -> HiddenVotes:
    """All votes of LFs with more than one class that have company; of very many an even choice of vectors.

    Args:
        counts: of the label matrix.
        dependent: (m, m) bool, symmetric: pairs of LFs that repeat each other.
    """
    votes, count = counts.patterns.votes, counts.patterns.counts
    targets = (votes != 0) & ~is_one_sided(counts) & ((votes != 0).sum(axis=1) > 1)[:, None]
    step = -(-int(targets.sum()) * counts.num_classes // MAX_SCORES) or 1
    votes, count, targets = votes[::step], count[::step], targets[::step]
    pattern, lf = np.nonzero(targets)
    own = np.searchsorted(np.array(classes_of(counts.num_classes)), votes[pattern, lf])
    return HiddenVotes(pattern, lf, own, count[pattern].astype(np.float64), votes, dependent)


def log_likelihoods(hidden: HiddenVotes, model: LabelModel, discounts: Vector) -> Vector:
    """Log P(vote | the others) of every hidden vote: (len(discounts), r).

    Args:
        hidden: r votes.
        model: with one accuracy per LF.
        discounts: factors of the model's weights.
    """
    k, weights, own, rows = model.num_classes, model.weights, hidden.own, np.arange(len(hidden.own))
    # Classes first: sums over few classes of many votes are then several times faster.
    scores = np.stack([((hidden.votes == c) @ weights)[hidden.pattern] for c in model.classes])
    scores[own, rows] -= weights[hidden.lf]
    for lf in np.flatnonzero(hidden.dependent.any(axis=1)):
        of_lf, others = np.flatnonzero(hidden.lf == lf), np.flatnonzero(hidden.dependent[lf])
        repeats = hidden.votes[np.ix_(hidden.pattern[of_lf], others)]
        scores[:, of_lf] -= np.stack([(repeats == c) @ weights[others] for c in model.classes])
    against = scores - scores[own, rows]
    prior = np.log(model.class_balance)[:, None] - np.log(model.class_balance)[own]
    accuracies = model.accuracies[hidden.lf]
    found = np.empty((len(discounts), len(own)))
    for row, discount in enumerate(discounts):
        # P(y = own | the others); a term too large for float64 makes it 0, as it should.
        with np.errstate(over="ignore"):
            right = 1 / np.exp(discount * against + prior).sum(axis=0)
        found[row] = np.log(right * accuracies + (1 - right) * (1 - accuracies) / (k - 1))
    return found


def best_discount(hidden: HiddenVotes, model: LabelModel) -> float:
    """The factor in (0, 1] of all weights that predicts hidden votes best: below 1, LFs err together.

    A model that is too sure of the class is surprised by LFs that vote against the others, most where many
    vote.
    """
    if not len(hidden.own):
        return 1.0
    totals = log_likelihoods(hidden, model, DISCOUNTS) @ hidden.count
    return float(DISCOUNTS[int(np.argmax(totals))])
