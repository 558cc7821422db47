"""How well a label model predicts each vote from the other votes on the same data point.

P(λ_i = a | the others, i votes) = Σ_c P(y = c | the others) P(λ_i = a | y = c), with one accuracy per LF. It needs
no gold: LFs that vote for one class only are left out, as their votes say nothing when it is known that they
vote. From the pattern counts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce

import numpy as np
import numpy.typing as npt

from dp_spark.counting.agreement import Mask, is_one_sided
from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.label_model.model import LabelModel, Vector
from dp_spark.labeling.votes import Votes, classes_of

Indices = npt.NDArray[np.int64]

MAX_SCORES = 1 << 22  # votes times classes that are looked at: 32 MiB; of more, evenly chosen patterns
VOTES_PER_BLOCK = 1 << 13  # arrays of them, times discounts, stay in the processor's cache
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
    """

    pattern: Indices
    lf: Indices
    own: Indices
    count: Vector
    votes: Votes


@dataclass(frozen=True)
class _Evidence:
    """What the others say about r hidden votes, before any discount.

    Attributes:
        against: (k - 1, r) float64: log-odds that their votes give each other class against the vote's own.
        prior: (k - 1, r) float64: those that the class balance gives.
        right: (r,) float64: P(vote | its own class is true).
        wrong: (r,) float64: P(vote | another class is true).
    """

    against: Vector
    prior: Vector
    right: Vector
    wrong: Vector


def hidden_votes(counts: VoteCounts) -> HiddenVotes:
    """All votes of LFs with more than one class that have company; of very many an even choice of vectors.

    Args:
        counts: of the label matrix.
    """
    votes, count, k = counts.patterns.votes, counts.patterns.counts, counts.num_classes
    voted = votes != 0
    num_voters = np.ascontiguousarray(voted.T).sum(axis=0, dtype=np.int32)  # over columns it is slow
    targets = voted & ~is_one_sided(counts) & (num_voters > 1)[:, None]
    step = -(-int(targets.sum()) * k // MAX_SCORES) or 1
    votes, count, targets = votes[::step], count[::step], targets[::step]
    pattern, lf = np.divmod(np.flatnonzero(targets), counts.num_lfs)
    positions = np.zeros(k + 2, dtype=np.int64)  # by the vote; -1 is the last
    positions[list(classes_of(k))] = np.arange(k)
    return HiddenVotes(pattern, lf, positions[votes[targets]], count.astype(np.float64)[pattern], votes)


def log_likelihoods(hidden: HiddenVotes, model: LabelModel, dependent: Mask) -> Vector:
    """Log P(vote | the others) of every hidden vote: (r,).

    Args:
        hidden: r votes.
        model: with one accuracy per LF.
        dependent: (m, m) bool, symmetric: LFs whose votes would give a hidden one away; they are hidden with it.
    """
    scores, undiscounted = _scores(hidden.votes, model, slice(None)), np.ones(1)
    found = [
        _log_likelihoods(_evidence(block, scores, model, dependent), undiscounted)[0]
        for block in _blocks(hidden)
    ]
    return np.concatenate([np.empty(0), *found])


def best_discount(hidden: HiddenVotes, model: LabelModel, dependent: Mask) -> float:
    """The factor in (0, 1] of all weights that predicts hidden votes best: below 1, LFs err together.

    A model that is too sure of the class is surprised by LFs that vote against the others, most where many
    vote.

    Args:
        hidden: r votes.
        model: as for `log_likelihoods`.
        dependent: as for `log_likelihoods`.
    """
    if not len(hidden.own):
        return 1.0
    scores, totals = _scores(hidden.votes, model, slice(None)), np.zeros(len(DISCOUNTS))
    for block in _blocks(hidden):
        evidence = _evidence(block, scores, model, dependent)
        totals += _log_likelihoods(evidence, DISCOUNTS) @ block.count
    return float(DISCOUNTS[int(np.argmax(totals))])


def _scores(votes: Votes, model: LabelModel, lfs: Indices | slice) -> Vector:
    """What the votes of these LFs add to the score of each class: (rows, k)."""
    return np.stack([(votes == c) @ model.weights[lfs] for c in model.classes], axis=1)


def _evidence(hidden: HiddenVotes, scores: Vector, model: LabelModel, dependent: Mask) -> _Evidence:
    k, own = model.num_classes, hidden.own
    other = (own + np.arange(1, k)[:, None]) % k
    against = _differences(scores, hidden.pattern, own, other) + model.weights.take(hidden.lf)
    for lf in np.flatnonzero(dependent.any(axis=1)):
        of_lf, others = np.flatnonzero(hidden.lf == lf), np.flatnonzero(dependent[lf])
        repeats = _scores(hidden.votes[np.ix_(hidden.pattern[of_lf], others)], model, others)
        against[:, of_lf] -= _differences(repeats, np.arange(len(of_lf)), own[of_lf], other[:, of_lf])
    right, log_balance = model.accuracies.take(hidden.lf), np.log(model.class_balance)
    prior = log_balance.take(other) - log_balance.take(own)
    return _Evidence(against, prior, right, wrong=(1 - right) / (k - 1))


def _differences(scores: Vector, row: Indices, own: Indices, other: Indices) -> Vector:
    """Scores of other classes less those of one's own: (k - 1, r); `take` of a flat array is the fastest look-up."""
    first = row * scores.shape[1]
    return np.asarray(scores.take(first + other) - scores.take(first + own))


def _log_likelihoods(evidence: _Evidence, discounts: Vector) -> Vector:
    """Log P(vote | the others): (len(discounts), r)."""
    odds = discounts[:, None] * evidence.against[:, None]
    odds += evidence.prior[:, None]
    with np.errstate(
        over="ignore"
    ):  # terms too large for float64 make P(y = own | the others) 0, as they should
        np.exp(odds, out=odds)
    # In place: a second array of this size would not fit the cache beside it.
    found = reduce(np.add, odds)  # of two classes nothing is left to add
    found += 1
    np.divide(evidence.right - evidence.wrong, found, out=found)
    found += evidence.wrong
    return np.asarray(np.log(found, out=found))


def _blocks(hidden: HiddenVotes) -> Iterator[HiddenVotes]:
    for first in range(0, len(hidden.own), VOTES_PER_BLOCK):
        block = slice(first, first + VOTES_PER_BLOCK)
        yield HiddenVotes(
            hidden.pattern[block], hidden.lf[block], hidden.own[block], hidden.count[block], hidden.votes
        )
