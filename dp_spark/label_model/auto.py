"""The default: a fitted model where the votes show that it is better than a vote count, else a vote count.

The yardstick needs no gold: accuracies fitted on one half of the data points have to predict hidden votes of the
other half better than the majority vote does, by more than a standard error. A fit that nothing checks (as
many pairs of LFs as accuracies) is not taken: on three LFs of a real set it was 14 points worse.

Where some LFs vote for one class only, and what LFs have in common is the class and nothing else, a richer model is
taken first: P(vote | class), abstentions included. Held-out votes cannot tell whether that holds (they prefer richer
models also where LFs err together); how much of the votes' association is left unexplained can.
"""

from dataclasses import replace

import numpy as np

from dp_spark.counting.agreement import Mask, is_one_sided, within_clusters
from dp_spark.counting.halves import halves
from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.label_model.accuracies import cluster_names
from dp_spark.label_model.assumptions import Assumptions
from dp_spark.label_model.class_conditional import fit_checked
from dp_spark.label_model.dependencies import measured, votes_per_opinion
from dp_spark.label_model.empirical_bayes import dependent_pairs, fit_beside
from dp_spark.label_model.firing_dependencies import firing_dependencies
from dp_spark.label_model.intervals import widened
from dp_spark.label_model.leave_one_out import hidden_votes, log_likelihoods
from dp_spark.label_model.majority_vote import majority_vote, specific_vote
from dp_spark.label_model.model import LabelModel
from dp_spark.label_model.names import MIN_LFS

MIN_GAIN_SCORE = 1.0  # standard errors
MIN_SHARE_EXPLAINED = 0.95  # of association by the class alone; real LFs seldom reach it
MIN_SHARE_CHECKED = 0.5  # of pairs; of LFs that seldom meet, such as crowds, independence is not known
MIN_SHARE_TELLING = 0.5  # of the LFs for each class; else they may share something else
MAX_INDEPENDENT_LFS = 100  # crowds, which label in batches, are not independent; 0.5 s


def auto(counts: VoteCounts, assumptions: Assumptions) -> LabelModel:
    """The model that the votes speak for; `diagnostics["choice"]` says which, and why.

    Args:
        counts: of the label matrix.
        assumptions: class balance, prior accuracies, dependencies, gold labels.
    """
    independent = _independent(counts, assumptions)
    if independent is not None:
        return independent
    dependent = dependent_pairs(counts, assumptions)
    fitted, repeats = fit_beside(counts, assumptions, dependent, hidden_votes(counts))
    if fitted.diagnostics["status"] == "not identified":
        why = "no accuracy is determined by the votes"
        return _vote_count(counts, assumptions, fitted, repeats, why, None)
    if fitted.diagnostics["overdispersion"] is None:
        why = "too few pairs of labeling functions overlap to check a fit"
        return _vote_count(counts, assumptions, fitted, repeats, why, None)
    gain, error = held_out_gain(counts, assumptions, dependent)
    error *= float(np.sqrt(float(str(fitted.diagnostics["design_effect"]))))  # of clusters, if they are known
    score = gain / error if error > 0 else 0.0
    if score <= MIN_GAIN_SCORE:
        why = "fitted accuracies do not predict held-out votes clearly better than a majority vote"
        return _vote_count(counts, assumptions, fitted, repeats, why, score)
    choice = _choice(fitted, "fitted accuracies predict held-out votes better", score)
    return replace(fitted, diagnostics={**fitted.diagnostics, **choice})


def _independent(counts: VoteCounts, assumptions: Assumptions) -> LabelModel | None:
    """P(vote | class) of every LF, one-sided ones too, if their independence given the class explains the votes.

    It is not looked for where one accuracy per LF does as well, which takes fewer data points to know.
    """
    is_possible = (
        counts.num_classes == 2 and MIN_LFS <= int((counts.num_votes > 0).sum()) <= MAX_INDEPENDENT_LFS
    )
    is_asked_for = is_one_sided(counts).any() and np.isnan(assumptions.prior_accuracies).all()
    if not is_possible or not is_asked_for or assumptions.dependent.any():
        return None
    model, fit = fit_checked(counts, assumptions)
    is_checked = fit.share_checked >= MIN_SHARE_CHECKED and not fit.is_rejected
    is_borne_out = is_checked and fit.share_explained >= MIN_SHARE_EXPLAINED
    if not is_borne_out or model.diagnostics["class_balance"] == "uniform" or not _is_of_most(counts, model):
        return None
    why = (
        f"independence given the class explains {fit.share_explained:.0%} of how labeling functions vote together, "
        "and the class balance is known"
    )
    return replace(model, diagnostics={**model.diagnostics, **_choice(model, why, None)})


def _is_of_most(counts: VoteCounts, model: LabelModel) -> bool:
    """Whether most LFs for each class tell the classes apart, so that LFs share the class and not, say, long texts."""
    shares = counts.votes_per_class / np.maximum(counts.num_votes, 1)[:, None]
    tells_apart = np.asarray(model.intervals)[:, 0] > shares @ model.class_balance
    votes_for, votes = shares.argmax(axis=1), counts.num_votes > 0
    by_class = [tells_apart[votes & (votes_for == c)] for c in range(counts.num_classes)]
    return all(len(told) > 1 and told.mean() > MIN_SHARE_TELLING for told in by_class)


def held_out_gain(counts: VoteCounts, assumptions: Assumptions, dependent: Mask) -> tuple[float, float]:
    """By how much fitted accuracies predict held-out votes better than a majority vote.

    Args:
        counts: of the label matrix.
        assumptions: of both.
        dependent: (m, m) bool, symmetric: LFs that repeat each other don't predict each other's votes here.

    Returns:
        The gain in log-likelihood in nats, summed over both halves, and its standard error.
    """
    parts = [(half, hidden_votes(half)) for half in halves(counts)]
    gain, variance = 0.0, 0.0
    for (fit_on, seen), (_, hidden) in (parts, parts[::-1]):
        model, _ = fit_beside(fit_on, assumptions, dependent, seen)
        fitted = log_likelihoods(hidden, model, dependent)
        simple = log_likelihoods(hidden, majority_vote(fit_on, assumptions), dependent)
        by_pattern = np.bincount(hidden.pattern, fitted - simple, len(hidden.votes))
        times = np.zeros(len(hidden.votes))
        times[hidden.pattern] = hidden.count
        gain += float(times @ by_pattern)
        variance += float(times @ by_pattern**2)
    return gain, float(np.sqrt(variance))


def _vote_count(
    counts: VoteCounts,
    assumptions: Assumptions,
    fitted: LabelModel,
    repeats: Mask,
    why: str,
    score: float | None,
) -> LabelModel:
    """A majority vote, or what one-sided LFs, expected accuracies or gold labels make of it; copies count once."""
    is_majority = not (is_one_sided(counts).any() or assumptions.has_accuracies)
    model = (majority_vote if is_majority else specific_vote)(counts, assumptions)
    k, together = counts.num_classes, within_clusters(repeats)
    by_agreement = measured(counts, together, (k * model.accuracies - 1) / (k - 1))
    effect = float(str(fitted.diagnostics["design_effect"]))
    dependencies = by_agreement.beside(firing_dependencies(counts, assumptions, effect))
    rejected = {name: value for name, value in fitted.diagnostics.items() if name != "warnings"}
    diagnostics = {
        **model.diagnostics,
        **_choice(model, why, score),
        "dependent_lfs": cluster_names(counts, dependencies.pairs),
        "rejected_fit": rejected,
        # Why accuracies are not known is worth knowing whichever model labels.
        "warnings": list(fitted.warnings),
    }
    weights = model.weights / votes_per_opinion(counts, dependencies)
    # A fit that something checks says how far off accuracies may be, also where it does not label better.
    is_checked = fitted.diagnostics["overdispersion"] is not None
    source = fitted if is_checked else model
    intervals = widened(np.asarray(source.intervals), model.accuracies)
    return replace(model, weights=weights, intervals=intervals, diagnostics=diagnostics)


def _choice(model: LabelModel, why: str, score: float | None) -> dict[str, object]:
    return {"choice": {"model": model.model, "why": why, "held_out_gain_standard_errors": score}}
