"""The tutorial's label model: one accuracy per LF, the same for every class.  (Step 2; Ratner et al. 2016.)

LFs whose accuracies the votes do not determine, or determine no better than to MAX_STANDARD_ERROR, are named
and count as in a majority vote instead.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from dp_spark.counting.agreement import agreement_matrix
from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.label_model.accuracies import (
    Estimates,
    Findings,
    estimate_accuracies,
    identified_parts,
    named,
)
from dp_spark.label_model.accuracy_model import accuracy_model
from dp_spark.label_model.assumptions import Assumptions
from dp_spark.label_model.completion import gradient_descent
from dp_spark.label_model.dependencies import measured, votes_per_opinion
from dp_spark.label_model.intervals import intervals_of
from dp_spark.label_model.model import LabelModel, Vector
from dp_spark.label_model.priors import DEFAULT_ACCURACY, within_records
from dp_spark.label_model.standard_errors import standard_errors

MAX_STANDARD_ERROR = 0.25  # of q; wider than what is known of an LF before seeing any vote


def one_coin(counts: VoteCounts, assumptions: Assumptions) -> LabelModel:
    """The label model of the overlap-weighted completion; LFs that it cannot judge fall back, named.

    Args:
        counts: of the label matrix.
        assumptions: the class balance, which moves the labels but not the accuracies; declared
            dependencies, which are left out of the fit and share the weight of their votes.
    """
    estimates = estimate_accuracies(counts, assumptions.dependent, assumptions)
    vague = [int(i) for i in np.flatnonzero(estimates.errors > MAX_STANDARD_ERROR)]
    findings = estimates.findings.with_undetermined(
        [i for i in vague if i not in estimates.findings.undetermined],
        "overlap too little with others for an estimate: the standard error of q = 2p - 1 is above "
        f"{MAX_STANDARD_ERROR}. More data points, or labeling functions that vote on the same ones, help.",
    )
    return _label_model("one_coin", counts, assumptions, replace(estimates, findings=findings))


def one_coin_gradient_descent(counts: VoteCounts, assumptions: Assumptions, *, seed: int = 0) -> LabelModel:
    """The tutorial's fit to the letter: unweighted, by 5,000 steps of gradient descent.

    Args:
        counts: of the label matrix.
        assumptions: the class balance.
        seed: of the start.

    Raises:
        DivergedError: for many LFs, whose loss needs a lower learning rate.
    """
    Z, observed = agreement_matrix(counts)
    _, findings = identified_parts(counts, observed)
    completion = gradient_descent(Z, observed, seed=seed)
    if completion.status != "converged":
        findings = findings.with_warnings(
            f"gradient descent took all of its {completion.num_steps} steps; the largest gradient is "
            f"{completion.gradient:.2g}. model='one_coin' converges."
        )
    errors, effect = standard_errors(counts, observed, completion.q)
    estimates = Estimates(
        completion.q, errors, observed, np.zeros_like(observed), completion, findings, effect
    )
    return _label_model("gradient_descent", counts, assumptions, estimates)


def fit_diagnostics(counts: VoteCounts, estimates: Estimates) -> dict[str, object]:
    """How the completion ended and what it found, but for the warnings."""
    k, completion = counts.num_classes, estimates.completion
    return {
        "status": estimates.status,
        "num_steps": 0 if completion is None else completion.num_steps,
        "loss": 0.0 if completion is None else completion.loss,
        "path": {} if completion is None else {"loss": list(map(list, completion.losses))},
        "num_data_points": counts.num_data_points,
        "clusters_known": counts.has_blocks,
        "design_effect": estimates.design_effect,
        "standard_errors": [float(e) * (k - 1) / k if np.isfinite(e) else None for e in estimates.errors],
        "fallback_lfs": [counts.lf_names[i] for i in sorted(estimates.findings.undetermined)],
    }


def warnings_of(counts: VoteCounts, findings: Findings, meanwhile: str) -> list[str]:
    """What the user should know, one sentence each; LFs with the same trouble share one.

    Args:
        counts: of the label matrix.
        findings: of the fit.
        meanwhile: how LFs count whose accuracies are not determined.
    """
    members: dict[str, list[int]] = {}
    for i, why in findings.undetermined.items():
        members.setdefault(why, []).append(i)
    return [
        *(
            f"the accuracies of {named(counts, sorted(lfs))} are not determined: they {why} {meanwhile}"
            for why, lfs in members.items()
        ),
        *findings.warnings,
    ]


def below_chance(accuracies: Vector, counts: VoteCounts) -> Mapping[str, list[str]]:
    """The LFs that are right less often than a guess, for the diagnostics."""
    below = np.flatnonzero(accuracies < 1 / counts.num_classes)
    return {"below_chance_lfs": [counts.lf_names[i] for i in below]}


def _label_model(
    model: str, counts: VoteCounts, assumptions: Assumptions, estimates: Estimates
) -> LabelModel:
    k, findings = counts.num_classes, estimates.findings
    fitted = ((k - 1) * estimates.q + 1) / k
    accuracies = within_records(fitted, counts)
    clipped = [i for i in np.flatnonzero(accuracies != fitted) if i not in findings.undetermined]
    undetermined = list(findings.undetermined)
    accuracies[undetermined] = DEFAULT_ACCURACY
    errors = estimates.errors * (k - 1) / k
    errors[undetermined] = np.inf
    dependencies = measured(counts, assumptions.dependent | estimates.copies, estimates.q)
    meanwhile = f"Until then they count as in a majority vote, with accuracy {DEFAULT_ACCURACY}."
    diagnostics = {
        **fit_diagnostics(counts, estimates),
        "clipped_lfs": [counts.lf_names[i] for i in clipped],
        **below_chance(accuracies, counts),
        "warnings": warnings_of(counts, findings, meanwhile),
    }
    opinions = votes_per_opinion(counts, dependencies)
    return accuracy_model(
        model,
        counts,
        assumptions,
        accuracies,
        intervals=intervals_of(accuracies, errors),
        opinions=opinions,
        diagnostics=diagnostics,
    )
