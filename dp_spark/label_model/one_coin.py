"""The tutorial's label model: one accuracy per LF, the same for every class.  (Step 2; Ratner et al. 2016.)

q is fitted to Z ≈ q qᵀ, weighted by how often a pair overlaps (docs/method.md has the measurement). Where the
votes do not determine an accuracy, the LF is named and counts as in a majority vote instead:

- it votes together with too few others: its component of the overlap graph has no odd cycle;
- its votes overlap so little that the standard error of q is above MAX_STANDARD_ERROR;
- its component's sign is not clear. q and -q explain the agreements equally well; the sign is chosen so that
  the votes of a component are on the whole better than chance, Σ_i N_i q_i > 0 with N_i the number of
  votes of LF i, and that sum must be MIN_SIGN_SCORE standard errors away from 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from dp_spark.counting.agreement import Mask, agreement_matrix, components, informative_pairs, is_identified
from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.label_model.completion import Completion, complete_rank_one, gradient_descent
from dp_spark.label_model.majority_vote import DEFAULT_ACCURACY
from dp_spark.label_model.model import LabelModel, Vector, log_odds_weights

MAX_STANDARD_ERROR = 0.25  # of q; wider than what is known of an LF before seeing any vote
MIN_SIGN_SCORE = 2.0  # standard errors
MAX_DUPLICATE_CHANCE = 1e-6  # above it, votes that are all equal may be two good LFs, not one LF twice
SINGULAR = 1e-9  # added to the diagonal of the information matrix, whose mean is 1, before inverting it
NUM_NAMES_SHOWN = 5


@dataclass
class _Findings:
    """What the fit found, in the words of the diagnostics."""

    warnings: list[str] = field(default_factory=list)
    fallback: set[int] = field(default_factory=set)


def one_coin(counts: VoteCounts, class_balance: Vector) -> LabelModel:
    """The label model of the overlap-weighted completion; LFs that it cannot judge fall back, named.

    Args:
        counts: of the label matrix.
        class_balance: (k,), adds up to 1. It moves the labels; the accuracies do not depend on it.
    """
    findings = _Findings()
    informative, candidates = informative_pairs(counts), _duplicate_candidates(counts)
    q, completion = _fit(counts, informative & ~candidates, findings)
    copies = _duplicates(counts, candidates, q)
    pairs = informative & ~copies
    if (
        candidates & ~copies
    ).any():  # equal by chance, as two good LFs can be: these pairs are evidence after all
        findings = _Findings()
        q, completion = _fit(counts, pairs, findings)
    errors = _standard_errors(counts, pairs, q)
    _fall_back_where_vague(counts, errors, findings)
    _warn_of_copies(counts, copies, findings)
    return _label_model("one_coin", counts, class_balance, q, completion, findings, errors, copies)


def one_coin_gradient_descent(counts: VoteCounts, class_balance: Vector, *, seed: int = 0) -> LabelModel:
    """The tutorial's fit to the letter: unweighted, by 5,000 steps of gradient descent.

    Args:
        counts: of the label matrix.
        class_balance: (k,), adds up to 1.
        seed: of the start.

    Raises:
        DivergedError: for many LFs, whose loss needs a lower learning rate.
    """
    findings = _Findings()
    Z, observed = agreement_matrix(counts)
    _identified_parts(counts, observed, findings)
    completion = gradient_descent(Z, observed, seed=seed)
    if completion.status != "converged":
        findings.warnings.append(
            f"gradient descent took all of its {completion.num_steps} steps; the largest gradient is "
            f"{completion.gradient:.2g}. model='one_coin' converges."
        )
    q, nothing = completion.q, np.zeros_like(observed)
    errors = _standard_errors(counts, observed, q)
    return _label_model("gradient_descent", counts, class_balance, q, completion, findings, errors, nothing)


def _identified_parts(counts: VoteCounts, pairs: Mask, findings: _Findings) -> list[list[int]]:
    """The components whose accuracies are determined up to a sign; the LFs of the others fall back."""
    parts = components(pairs)
    identified = [part for part in parts if is_identified(pairs, part)]
    alone = [part[0] for part in parts if len(part) == 1]
    silent = [i for i in alone if counts.num_votes[i] == 0]
    for lonely in (silent, [i for i in alone if i not in silent]):
        if lonely:
            _fall_back(counts, lonely, _why_not_identified(counts, lonely, is_alone=True), findings)
    for part in parts:
        if len(part) > 1 and part not in identified:
            _fall_back(counts, part, _why_not_identified(counts, part, is_alone=False), findings)
    return identified


def _fit(counts: VoteCounts, pairs: Mask, findings: _Findings) -> tuple[Vector, Completion | None]:
    """The q of the LFs in identified components, 0 elsewhere, and how the solver ended."""
    identified = _identified_parts(counts, pairs, findings)
    q = np.zeros(counts.num_lfs)
    if not identified:
        return q, None
    members = np.array(sorted(sum(identified, [])))
    block = np.ix_(members, members)
    Z, _ = agreement_matrix(counts)
    completion = complete_rank_one(Z[block], np.where(pairs, counts.overlaps, 0)[block].astype(np.float64))
    if completion.status != "converged":
        findings.warnings.append(
            f"the completion took all of its {completion.num_steps} steps without converging: the accuracies "
            "are those of the last step."
        )
    q[members] = completion.q
    errors = _standard_errors(counts, pairs, q)
    for component in identified:
        _choose_sign(counts, component, q, errors, findings)
    return q, completion


def _choose_sign(
    counts: VoteCounts, component: list[int], q: Vector, errors: Vector, findings: _Findings
) -> None:
    votes = counts.num_votes[component]
    total = float(votes @ q[component])
    if total < 0:
        q[component] = -q[component]
    error = float(np.linalg.norm(votes * errors[component]))
    if abs(total) < MIN_SIGN_SCORE * error:
        why = (
            "agree and disagree in a way that fits accuracies above and below 1/2 equally well: their "
            f"votes are on the whole {abs(total) / max(error, SINGULAR):.1f} standard errors from chance, "
            f"expected {MIN_SIGN_SCORE:.0f}. Add labeling functions that are clearly better than chance."
        )
        _fall_back(counts, component, why, findings)


def _standard_errors(counts: VoteCounts, pairs: Mask, q: Vector) -> Vector:
    """Standard errors of q: (m,), infinite for LFs without informative pairs.

    The inverse of the Gauss-Newton information Jᵀ W J with W = N, the pair's overlaps: Var(Z) <= 1 / N.
    """
    weights = np.where(pairs, counts.overlaps, 0).astype(np.float64)
    information = weights * q[:, None] * q[None, :]
    np.fill_diagonal(information, weights @ q**2)
    errors = np.full(counts.num_lfs, np.inf)
    known = np.flatnonzero(np.diag(information) > 0)
    if len(known):
        block = information[np.ix_(known, known)]
        scale = float(np.diag(block).mean())
        inverse = np.linalg.inv(block / scale + SINGULAR * np.eye(len(known)))
        errors[known] = np.sqrt(np.maximum(np.diag(inverse), 0) / scale)
    return errors


def _fall_back_where_vague(counts: VoteCounts, errors: Vector, findings: _Findings) -> None:
    vague = [int(i) for i in np.flatnonzero(errors > MAX_STANDARD_ERROR) if i not in findings.fallback]
    if vague:
        why = (
            "overlap too little with others for an estimate: the standard error of q = 2p - 1 is above "
            f"{MAX_STANDARD_ERROR}. More data points, or labeling functions that vote on the same ones, help."
        )
        _fall_back(counts, vague, why, findings)


def _why_not_identified(counts: VoteCounts, members: Sequence[int], *, is_alone: bool) -> str:
    if not counts.num_votes[list(members)].any():
        return "never vote. Check their conditions, or leave them out."
    if is_alone:
        return (
            "share no data point with another labeling function in a way that says how accurate they are. "
            "Add labeling functions that vote on the same data points and can vote for more than one "
            "class."
        )
    return (
        "overlap only in pairs or chains, so that only products of their q = 2p - 1 are known. Add a "
        "labeling function that votes on the same data points as two of them, or leave these out."
    )


def _fall_back(counts: VoteCounts, members: Sequence[int], why: str, findings: _Findings) -> None:
    findings.fallback.update(members)
    findings.warnings.append(
        f"the accuracies of {_named(counts, members)} are not determined: they {why} "
        f"Until then they count as in a majority vote, with accuracy {DEFAULT_ACCURACY}."
    )


def _duplicate_candidates(counts: VoteCounts) -> Mask:
    """Pairs that vote on exactly the same data points and always agree: (m, m) bool."""
    votes, overlaps = counts.num_votes, counts.overlaps
    same_rows = (overlaps == votes[:, None]) & (overlaps == votes[None, :])
    candidates = same_rows & (counts.agreements == overlaps) & (overlaps > 0)
    np.fill_diagonal(candidates, False)
    return np.asarray(candidates)


def _duplicates(counts: VoteCounts, candidates: Mask, q: Vector) -> Mask:
    """The candidates that would hardly agree so often if they were independent with these accuracies."""
    k = counts.num_classes
    agree = np.clip(((k - 1) * np.outer(q, q) + 1) / k, SINGULAR, 1.0)
    return np.asarray(candidates & (counts.overlaps * np.log(agree) < np.log(MAX_DUPLICATE_CHANCE)))


def _warn_of_copies(counts: VoteCounts, copies: Mask, findings: _Findings) -> None:
    for component in components(copies):
        if len(component) > 1:
            findings.warnings.append(
                f"{_named(counts, component)} cast the same votes on the same data points: they count as one "
                "labeling function together. Remove all but one."
            )


def _label_model(
    model: str,
    counts: VoteCounts,
    class_balance: Vector,
    q: Vector,
    completion: Completion | None,
    findings: _Findings,
    errors: Vector,
    copies: Mask,
) -> LabelModel:
    k = counts.num_classes
    estimates = ((k - 1) * q + 1) / k
    # A perfect record of N votes is not certainty: as after one right and one wrong vote more (Laplace).
    least = 1 / (counts.num_votes + 2)
    accuracies = np.clip(estimates, least, 1 - least)
    fallback = sorted(findings.fallback)
    clipped = [i for i in np.flatnonzero(accuracies != estimates) if i not in findings.fallback]
    accuracies[fallback] = DEFAULT_ACCURACY
    num_copies = copies.sum(axis=1) + 1
    return LabelModel(
        model=model,
        lf_names=counts.lf_names,
        lf_hashes=counts.lf_hashes,
        num_classes=k,
        accuracies=accuracies,
        weights=log_odds_weights(accuracies, k) / num_copies,
        class_balance=class_balance,
        diagnostics={
            "status": "not identified" if completion is None else completion.status,
            "num_steps": 0 if completion is None else completion.num_steps,
            "loss": 0.0 if completion is None else completion.loss,
            "num_data_points": counts.num_data_points,
            "standard_errors": [float(e) * (k - 1) / k if np.isfinite(e) else None for e in errors],
            "fallback_lfs": [counts.lf_names[i] for i in fallback],
            "clipped_lfs": [counts.lf_names[i] for i in clipped],
            "below_chance_lfs": [counts.lf_names[i] for i in np.flatnonzero(accuracies < 1 / k)],
            "warnings": findings.warnings,
        },
    )


def _named(counts: VoteCounts, members: Sequence[int]) -> str:
    names = [repr(counts.lf_names[i]) for i in members]
    shown = ", ".join(names[:NUM_NAMES_SHOWN])
    return f"{shown} and {len(names) - NUM_NAMES_SHOWN} more" if len(names) > NUM_NAMES_SHOWN else shown
