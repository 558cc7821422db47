"""The default: a fitted model where the votes show that it is better than a vote count, else a vote count.

The yardstick needs no gold: accuracies fitted on one half of the data points have to predict hidden votes of the
other half better than the majority vote does, by more than a standard error. A fit that nothing checks (as
many pairs of LFs as accuracies) is not taken: on three LFs of a real set it was 14 points worse.
"""

from dataclasses import replace

import numpy as np

from dp_spark.counting.agreement import Mask, is_one_sided, within_clusters
from dp_spark.counting.halves import halves
from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.label_model.assumptions import Assumptions
from dp_spark.label_model.dependencies import measured, votes_per_opinion
from dp_spark.label_model.empirical_bayes import dependent_pairs, fit_beside
from dp_spark.label_model.leave_one_out import hidden_votes, log_likelihoods
from dp_spark.label_model.majority_vote import majority_vote, specific_vote
from dp_spark.label_model.model import LabelModel

MIN_GAIN_SCORE = 1.0  # standard errors


def auto(counts: VoteCounts, assumptions: Assumptions) -> LabelModel:
    """The model that the votes speak for; `diagnostics["choice"]` says which, and why.

    Args:
        counts: of the label matrix.
        assumptions: class balance, prior accuracies, dependencies, gold labels.
    """
    dependent = dependent_pairs(counts, assumptions)
    fitted, repeats = fit_beside(counts, assumptions, dependent, hidden_votes(counts))
    if fitted.diagnostics["status"] == "not identified":
        why = "no accuracy is determined by the votes"
        return _vote_count(counts, assumptions, fitted, repeats, why, None)
    if fitted.diagnostics["overdispersion"] is None:
        why = "too few pairs of labeling functions overlap to check a fit"
        return _vote_count(counts, assumptions, fitted, repeats, why, None)
    gain, error = held_out_gain(counts, assumptions, dependent)
    score = gain / error if error > 0 else 0.0
    if score <= MIN_GAIN_SCORE:
        why = "fitted accuracies do not predict held-out votes clearly better than a majority vote"
        return _vote_count(counts, assumptions, fitted, repeats, why, score)
    choice = _choice(fitted, "fitted accuracies predict held-out votes better", score)
    return replace(fitted, diagnostics={**fitted.diagnostics, **choice})


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
    dependencies = measured(counts, together, (k * model.accuracies - 1) / (k - 1))
    rejected = {name: value for name, value in fitted.diagnostics.items() if name != "warnings"}
    diagnostics = {
        **model.diagnostics,
        **_choice(model, why, score),
        "dependent_lfs": fitted.diagnostics["dependent_lfs"],
        "rejected_fit": rejected,
        # Why accuracies are not known is worth knowing whichever model labels.
        "warnings": list(fitted.warnings),
    }
    weights = model.weights / votes_per_opinion(counts, dependencies)
    return replace(model, weights=weights, diagnostics=diagnostics)


def _choice(model: LabelModel, why: str, score: float | None) -> dict[str, object]:
    return {"choice": {"model": model.model, "why": why, "held_out_gain_standard_errors": score}}
