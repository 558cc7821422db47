"""P(vote | class) for every LF and class, by expectation maximisation over the vote patterns.

A. P. Dawid and A. M. Skene, "Maximum Likelihood Estimation of Observer Error-Rates Using the EM Algorithm", 1979,
with a prior: each row of an LF's confusion matrix is drawn to that of all LFs together, which in turn is drawn to
the pooled accuracy (hierarchical Dirichlet priors; Paun et al., TACL 2018). Abstaining says nothing. The class
balance is estimated, if it is not given. For LFs that vote for every class: of a one-sided LF's votes it learns
nothing. From the pattern counts: n does not matter.
"""

import numpy as np

from dp_spark.counting.agreement import Mask, informative_pairs, is_one_sided
from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.label_model.accuracies import identified_parts, named, not_converged
from dp_spark.label_model.assumptions import Assumptions, balance_diagnostics
from dp_spark.label_model.class_errors import ClassFit, class_errors
from dp_spark.label_model.intervals import intervals_of
from dp_spark.label_model.model import LabelModel, Vector
from dp_spark.label_model.one_coin import below_chance
from dp_spark.label_model.priors import pooled_accuracy
from dp_spark.label_model.vote_sums import BlockedVotes, ListedVotes, summable

PRIOR_VOTES = 4.0  # per LF and class, that the confusion matrix of all LFs counts as
POOLED_PRIOR_VOTES = 10.0  # per class, that the pooled accuracy counts as for all LFs together
BALANCE_PRIOR = 1.0  # data points per class, that equal classes count as
MAX_ROUNDS = 500
TOLERANCE = 1e-8  # on any probability of a class; the last round's change


def dawid_skene(counts: VoteCounts, assumptions: Assumptions) -> LabelModel:
    """The label model of maximum posterior probability, found from the majority vote.

    Memory is 40 k bytes per pattern, of at most 50,000, and 32 m k² bytes; for LFs that cast at most 1/8 of the
    possible votes 32 bytes per vote (at m = 1,000 200 MB); and what `class_errors` takes.

    Args:
        counts: of the label matrix.
        assumptions: the class balance, if given; prior accuracies.
    """
    pooled = pooled_accuracy(counts, informative_pairs(counts))
    fit, status, changes = _fitted(
        counts, assumptions, _confusion(assumptions.or_prior(pooled), counts.num_classes)
    )
    errors = class_errors(fit)
    determined = _determined(counts)
    source: str = assumptions.balance_source
    balance_errors = assumptions.balance_errors
    if source == "uniform":
        source, balance_errors = "estimated", np.where(determined.any(), errors.balance, np.inf)
    log_confusion = np.log(fit.confusion)
    return LabelModel(
        model="dawid_skene",
        lf_names=counts.lf_names,
        lf_hashes=counts.lf_hashes,
        num_classes=counts.num_classes,
        accuracies=fit.accuracies,
        weights=_mean_weights(log_confusion),
        class_balance=fit.balance,
        intervals=intervals_of(fit.accuracies, np.where(determined, errors.accuracies, np.inf)),
        log_likelihoods=log_confusion.transpose(0, 2, 1),
        diagnostics={
            "status": status,
            "num_steps": len(changes),
            "path": {"largest_change": [[step, change] for step, change in enumerate(changes, start=1)]},
            "num_data_points": counts.num_data_points,
            "pooled_accuracy": pooled,
            "errors": errors.scope,
            **balance_diagnostics(source, fit.balance, balance_errors),
            **below_chance(fit.accuracies, counts),
            "warnings": _warnings(counts, status),
        },
    )


def _fitted(
    counts: VoteCounts, assumptions: Assumptions, expected: Vector
) -> tuple[ClassFit, str, list[float]]:
    """The fit, how it ended, and the largest change of a probability in every round.

    Args:
        counts: of the label matrix.
        assumptions: the class balance, if given.
        expected: (m, k, k), [i, c, a]: the confusion matrices before any vote.
    """
    k, times = counts.num_classes, counts.patterns.counts.astype(np.float64)
    votes = summable(counts.patterns.votes, k)
    confusion, balance, is_free = expected, assumptions.class_balance, assumptions.balance_source == "uniform"
    posterior, change = _posterior(votes, confusion, balance), np.inf
    changes: list[float] = []
    while change >= TOLERANCE and len(changes) < MAX_ROUNDS:
        soft_counts = votes.over_patterns(times[:, None] * posterior).transpose(0, 2, 1)
        confusion = _fitted_confusion(soft_counts, expected)
        if is_free:
            balance = (times @ posterior + BALANCE_PRIOR) / (times.sum() + k * BALANCE_PRIOR)
        before, posterior = posterior, _posterior(votes, confusion, balance)
        change = float(np.abs(posterior - before).max(initial=0))
        changes.append(change)
    fit = ClassFit(
        counts.patterns, posterior, confusion, balance, PRIOR_VOTES, BALANCE_PRIOR if is_free else None
    )
    return fit, "converged" if change < TOLERANCE else "reached max_steps", changes


def _determined(counts: VoteCounts) -> Mask:
    """Which LFs' accuracies the votes tell: (m,) bool; not of one-sided LFs, nor of such as overlap with too few."""
    identified, _ = identified_parts(counts, informative_pairs(counts))
    found = np.zeros(counts.num_lfs, dtype=np.bool_)
    found[sum(identified, [])] = True
    return np.asarray(found & ~is_one_sided(counts))


def _confusion(accuracies: Vector, k: int) -> Vector:
    """P(vote a | class c) of LFs whose wrong votes are spread evenly: (m, k, k), [i, c, a]."""
    matrices = np.repeat((1 - accuracies)[:, None, None] / (k - 1), k, axis=1).repeat(k, axis=2)
    matrices[:, np.arange(k), np.arange(k)] = accuracies[:, None]
    return np.asarray(matrices)


def _fitted_confusion(soft_counts: Vector, expected: Vector) -> Vector:
    """(m, k, k) from the expected votes a of LF i on class c, [i, c, a], and the prior's matrices."""
    together = soft_counts.sum(axis=0) + POOLED_PRIOR_VOTES * expected.mean(axis=0)
    # What one LF is expected to do besides: all LFs' habits, at this LF's own prior accuracy.
    habits = together / together.sum(axis=1, keepdims=True)
    prior = habits * expected / expected.mean(axis=0)
    prior /= prior.sum(axis=2, keepdims=True)
    totals = soft_counts.sum(axis=2, keepdims=True) + PRIOR_VOTES
    return np.asarray((soft_counts + PRIOR_VOTES * prior) / totals)


def _posterior(votes: ListedVotes | BlockedVotes, confusion: Vector, balance: Vector) -> Vector:
    """P(y = c | pattern): (num_patterns, k)."""
    by_class = np.ascontiguousarray(
        votes.over_lfs(np.log(confusion).transpose(0, 2, 1)).T
    )  # twice as fast in k = 2
    by_class += np.log(balance)[:, None]
    odds = np.exp(by_class - by_class.max(axis=0))
    return np.asarray((odds / odds.sum(axis=0)).T)


def _mean_weights(log_confusion: Vector) -> Vector:
    """What a vote adds to the log-odds of its class against the mean of the others, on average over votes: (m,)."""
    k = log_confusion.shape[1]
    own = np.einsum("icc->ic", log_confusion)
    others = (log_confusion.sum(axis=1) - own) / (k - 1)
    return np.asarray((own - others).mean(axis=1))


def _warnings(counts: VoteCounts, status: str) -> list[str]:
    stopped = [] if status == "converged" else [not_converged(MAX_ROUNDS)]
    one_sided = np.flatnonzero(is_one_sided(counts))
    if not len(one_sided):
        return stopped
    return [
        *stopped,
        f"{named(counts, one_sided.tolist())} only ever vote for one class: model='dawid_skene', for which abstaining "
        "says nothing, cannot tell how accurate they are. Use model='auto', or leave them out.",
    ]
