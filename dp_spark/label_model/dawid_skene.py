"""P(vote | class) for every LF and class, by expectation maximisation over the vote patterns.

A. P. Dawid and A. M. Skene, "Maximum Likelihood Estimation of Observer Error-Rates Using the EM Algorithm", 1979,
with a prior: each row of an LF's confusion matrix is drawn to that of all LFs together, which in turn is drawn to
the pooled accuracy (hierarchical Dirichlet priors; Paun et al., TACL 2018). Abstaining says nothing. The class
balance is estimated, if it is not given. For LFs that vote for every class: of a one-sided LF's votes it learns
nothing. From the pattern counts: n does not matter.
"""

import numpy as np

from dp_spark.counting.agreement import informative_pairs, is_one_sided
from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.label_model.accuracies import named, not_converged
from dp_spark.label_model.assumptions import Assumptions, balance_diagnostics
from dp_spark.label_model.model import LabelModel, Vector
from dp_spark.label_model.one_coin import below_chance
from dp_spark.label_model.priors import pooled_accuracy
from dp_spark.labeling.votes import classes_of

PRIOR_VOTES = 4.0  # per LF and class, that the confusion matrix of all LFs counts as
POOLED_PRIOR_VOTES = 10.0  # per class, that the pooled accuracy counts as for all LFs together
BALANCE_PRIOR = 1.0  # data points per class, that equal classes count as
MAX_ROUNDS = 500
TOLERANCE = 1e-8  # on any probability of a class; the last round's change


def dawid_skene(counts: VoteCounts, assumptions: Assumptions) -> LabelModel:
    """The label model of maximum posterior probability, found from the majority vote.

    Memory is 8 (m + k) bytes per pattern and k, of at most 50,000 patterns, and 8 m k² bytes.

    Args:
        counts: of the label matrix.
        assumptions: the class balance, if given; prior accuracies.
    """
    k, times = counts.num_classes, counts.patterns.counts.astype(np.float64)
    pooled = pooled_accuracy(counts, informative_pairs(counts))
    expected = _confusion(assumptions.or_prior(pooled), k)
    posterior = _posterior(counts, np.log(expected), assumptions.class_balance)
    balance, confusion, status, num_rounds = assumptions.class_balance, expected, "reached max_steps", 0
    while num_rounds < MAX_ROUNDS:
        num_rounds += 1
        confusion = _fitted_confusion(_soft_counts(counts, times[:, None] * posterior), expected)
        if assumptions.balance_source == "uniform":
            balance = (times @ posterior + BALANCE_PRIOR) / (times.sum() + k * BALANCE_PRIOR)
        before, posterior = posterior, _posterior(counts, np.log(confusion), balance)
        if np.abs(posterior - before).max(initial=0) < TOLERANCE:
            status = "converged"
            break
    source: str = assumptions.balance_source
    errors = assumptions.balance_errors
    if source == "uniform":
        source, errors = "estimated", _balance_errors(times, posterior, balance)
    joint = confusion * balance[:, None]  # of class and vote, given that the LF votes
    accuracies = np.einsum("icc->i", joint)
    return LabelModel(
        model="dawid_skene",
        lf_names=counts.lf_names,
        lf_hashes=counts.lf_hashes,
        num_classes=k,
        accuracies=accuracies,
        weights=_mean_weights(np.log(confusion)),
        class_balance=balance,
        log_likelihoods=np.log(confusion).transpose(0, 2, 1),
        diagnostics={
            "status": status,
            "num_steps": num_rounds,
            "num_data_points": counts.num_data_points,
            "pooled_accuracy": pooled,
            **balance_diagnostics(source, balance, errors),
            **below_chance(accuracies, counts),
            "warnings": _warnings(counts, status),
        },
    )


def _balance_errors(times: Vector, posterior: Vector, balance: Vector) -> Vector:
    """Standard errors of the class balance from its scores, as if the confusion matrices were known: (k,)."""
    scores = (posterior - balance) / (balance * (1 - balance))
    information = times @ scores**2
    return np.asarray(1 / np.sqrt(np.maximum(information, np.finfo(float).tiny)))


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


def _soft_counts(counts: VoteCounts, weighted: Vector) -> Vector:
    """How often LF i is expected to vote a on class c: (m, k, k), [i, c, a]."""
    votes = counts.patterns.votes
    by_vote = [(votes == a).T.astype(np.float64) @ weighted for a in classes_of(counts.num_classes)]
    return np.stack(by_vote, axis=2)


def _posterior(counts: VoteCounts, log_confusion: Vector, balance: Vector) -> Vector:
    """P(y = c | pattern): (num_patterns, k)."""
    scores = np.tile(np.log(balance), (len(counts.patterns.votes), 1))
    for position, a in enumerate(classes_of(counts.num_classes)):
        scores += (counts.patterns.votes == a).astype(np.float64) @ log_confusion[:, :, position]
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


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
