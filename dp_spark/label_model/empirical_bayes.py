"""One accuracy per LF, trusted as far as the votes bear it out: the tutorial's model for real labeling functions.

Pairs of LFs that agree more than accuracies allow are left out of the completion of Z ≈ q qᵀ, and share their
votes' weight. Four steps follow it: the misfit of the agreements widens the standard errors; accuracies are
drawn to the pooled accuracy in proportion to them; LFs that the votes say nothing about count by how specific
they are; and all weights are discounted until they predict hidden votes best. Where the model holds, these
do next to nothing. Measured step by step in docs/method.md.
"""

from dataclasses import replace

import numpy as np

from dp_spark.counting.agreement import Mask, clusters, informative_pairs
from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.label_model.accuracies import cluster_names, estimate_accuracies, named
from dp_spark.label_model.accuracy_model import accuracy_model
from dp_spark.label_model.assumptions import Assumptions
from dp_spark.label_model.dependencies import find_dependencies, measured, votes_per_opinion
from dp_spark.label_model.firing_dependencies import firing_dependencies
from dp_spark.label_model.intervals import intervals_of, widened
from dp_spark.label_model.leave_one_out import HiddenVotes, best_discount, hidden_votes
from dp_spark.label_model.model import LabelModel
from dp_spark.label_model.one_coin import below_chance, fit_diagnostics, warnings_of
from dp_spark.label_model.priors import pooled_accuracy, specific_accuracies, within_records
from dp_spark.label_model.shrinkage import overdispersion, shrink
from dp_spark.label_model.voted_balance import with_voted_balance

MEANWHILE = "Until then they count as LFs on the whole do, one-sided ones by how specific they are."


def empirical_bayes(counts: VoteCounts, assumptions: Assumptions) -> LabelModel:
    """The label model of the completion, shrunk and discounted as far as the votes ask for it.

    Args:
        counts: of the label matrix.
        assumptions: class balance, prior accuracies (what estimates are drawn to), dependencies, gold labels.
    """
    dependent = dependent_pairs(counts, assumptions)
    return fit_beside(counts, assumptions, dependent, hidden_votes(counts))[0]


def fit_beside(
    counts: VoteCounts, assumptions: Assumptions, dependent: Mask, hidden: HiddenVotes
) -> tuple[LabelModel, Mask]:
    """The model of `empirical_bayes` beside these dependent pairs, and which LFs repeat each other in it.

    Args:
        counts: of m LFs.
        assumptions: as for `empirical_bayes`.
        dependent: (m, m) bool, symmetric, of `dependent_pairs`.
        hidden: `hidden_votes` of the counts.

    Returns:
        The model.
        repeats: (m, m) bool, symmetric: the dependent pairs, and copies, which cast the same votes.
    """
    model, repeats = _undiscounted(counts, assumptions, dependent)
    discount = best_discount(hidden, model, repeats)
    diagnostics = {**model.diagnostics, "discount": discount}
    return replace(model, weights=model.weights * discount, diagnostics=diagnostics), repeats


def dependent_pairs(counts: VoteCounts, assumptions: Assumptions) -> Mask:
    """Pairs of LFs that the user declares dependent, and those that agree more than the others explain."""
    rest = informative_pairs(counts) & ~assumptions.dependent
    return np.asarray(assumptions.dependent | find_dependencies(counts, rest))


def _undiscounted(counts: VoteCounts, assumptions: Assumptions, dependent: Mask) -> tuple[LabelModel, Mask]:
    """The label model of the shrunk completion, and the pairs of LFs that repeat each other, copies among them."""
    estimates, k = estimate_accuracies(counts, dependent, assumptions), counts.num_classes
    pooled, dispersion = pooled_accuracy(counts, estimates.pairs), overdispersion(counts, estimates)
    undetermined = sorted(estimates.findings.undetermined)
    errors = estimates.errors * np.sqrt(dispersion or 1.0)
    errors[undetermined] = np.inf
    shrunk = shrink(estimates.q, errors, (k * assumptions.or_prior(pooled) - 1) / (k - 1))
    accuracies = within_records(((k - 1) * shrunk.q + 1) / k, counts)
    accuracies[undetermined] = assumptions.or_prior(specific_accuracies(counts, pooled))[undetermined]
    # Of accuracies that are drawn together, intervals as narrow as they then look hold the truth too seldom.
    own, own_errors = assumptions.with_gold(
        within_records(((k - 1) * estimates.q + 1) / k, counts), errors * (k - 1) / k
    )
    accuracies, _ = assumptions.with_gold(accuracies, errors * (k - 1) / k)
    intervals = widened(intervals_of(own, own_errors), accuracies)
    of_q = np.where(np.isinf(errors), np.inf, shrunk.errors)
    assumptions = with_voted_balance(counts, assumptions, shrunk.q, of_q, estimates.design_effect)
    dependencies = measured(counts, dependent | estimates.copies, shrunk.q)
    together = firing_dependencies(counts, assumptions, estimates.design_effect)
    diagnostics = {
        **fit_diagnostics(counts, estimates),
        "pooled_accuracy": pooled,
        "spread": shrunk.spread * (k - 1) / k,
        "overdispersion": dispersion,
        **below_chance(accuracies, counts),
        "dependent_lfs": cluster_names(counts, dependencies.pairs | together.pairs),
        "warnings": [
            *warnings_of(counts, estimates.findings, MEANWHILE),
            *_dependence_warnings(counts, dependent & ~assumptions.dependent),
            *_firing_warnings(counts, together.pairs & ~dependencies.pairs),
        ],
    }
    opinions = votes_per_opinion(counts, dependencies.beside(together))
    model = accuracy_model(
        "empirical_bayes",
        counts,
        assumptions,
        accuracies,
        intervals=intervals,
        opinions=opinions,
        diagnostics=diagnostics,
    )
    return model, dependencies.pairs


def _dependence_warnings(counts: VoteCounts, dependent: Mask) -> list[str]:
    return [
        f"{named(counts, cluster)} agree more than their accuracies explain: they look at the same thing, and "
        "share the weight of their votes. Merge them, or make sure that each adds something of its own."
        for cluster in clusters(dependent)
    ]


def _firing_warnings(counts: VoteCounts, together: Mask) -> list[str]:
    return [
        f"{named(counts, cluster)} vote for one class only, and on the same data points more often than that class "
        "explains: they look at the same thing, and share the weight of their votes. Merge them, or make sure that "
        "each adds something of its own."
        for cluster in clusters(together)
    ]
