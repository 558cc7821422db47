"""How accurate each LF is, from agreements alone: q fitted to Z ≈ q qᵀ, with standard errors.  (Tutorial, step 2.)

The fit is weighted by how often a pair overlaps (docs/method.md has the measurement). Where the votes do not
determine an accuracy, the LF is named, with the reason:

- it votes together with too few others: its component of the overlap graph has no odd cycle;
- its component's sign is not clear. q and -q explain the agreements equally well; the sign is chosen so that
  the votes of a component are on the whole better than chance, Σ_i N_i q_i > 0 with N_i the number of
  votes of LF i, and that sum must be MIN_SIGN_SCORE standard errors away from 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from dp_spark.counting.agreement import (
    Mask,
    agreement_matrix,
    clusters,
    components,
    informative_pairs,
    is_identified,
)
from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.label_model.assumptions import Assumptions
from dp_spark.label_model.completion import Completion, complete_rank_one
from dp_spark.label_model.model import Vector
from dp_spark.label_model.standard_errors import standard_errors

MIN_SIGN_SCORE = 2.0  # standard errors
MAX_DUPLICATE_CHANCE = 1e-6  # above it, votes that are all equal may be two good LFs, not one LF twice
NUM_NAMES_SHOWN = 5


@dataclass(frozen=True)
class Findings:
    """What a fit found, in the words of the diagnostics.

    Attributes:
        warnings: one sentence each.
        undetermined: why the accuracy of an LF is not known from the votes, by its position.
    """

    warnings: tuple[str, ...] = ()
    undetermined: Mapping[int, str] = field(default_factory=dict)

    def with_warnings(self, *sentences: str) -> "Findings":
        """These findings, and these sentences."""
        return replace(self, warnings=(*self.warnings, *sentences))

    def with_undetermined(self, members: Sequence[int], why: str) -> "Findings":
        """These findings, and that these LFs are not determined, for this reason."""
        return replace(self, undetermined={**self.undetermined, **dict.fromkeys(members, why)})


@dataclass(frozen=True)
class Estimates:
    """The accuracies of m LFs as far as the votes tell them.

    Attributes:
        q: (m,) float64 in [-1, 1], q = (k p - 1) / (k - 1); 0 where not determined.
        errors: (m,) standard errors of q; infinite without informative pairs.
        pairs: (m, m) bool: the pairs that q was fitted to.
        copies: (m, m) bool: pairs of LFs that are one LF twice.
        completion: how the solver ended; None if nothing could be fitted.
        findings: what is not determined, and what else the user should know.
        design_effect: how many data points count as one independent one; 1 unless clusters are known.
    """

    q: Vector
    errors: Vector
    pairs: Mask
    copies: Mask
    completion: Completion | None
    findings: Findings
    design_effect: float = 1.0

    @property
    def status(self) -> str:
        """How the solver ended."""
        return "not identified" if self.completion is None else self.completion.status


def estimate_accuracies(
    counts: VoteCounts, dependent: Mask | None = None, assumptions: Assumptions | None = None
) -> Estimates:
    """The q of the overlap-weighted completion, and what the votes do not determine.

    Args:
        counts: of the label matrix.
        dependent: (m, m) bool, symmetric: pairs to leave out; default: none.
        assumptions: gold labels in it decide the sign of q where they are clear about it.
    """
    informative, candidates = informative_pairs(counts), _duplicate_candidates(counts)
    if dependent is not None:
        informative, candidates = informative & ~dependent, candidates & ~dependent
    estimates = _fitted(counts, informative & ~candidates, assumptions)
    copies = _duplicates(counts, candidates, estimates.q)
    pairs = informative & ~copies
    if (candidates & ~copies).any():  # equal by chance, as two good LFs can be: they are evidence after all
        estimates = _fitted(counts, pairs, assumptions)
    repeated = [
        f"{named(counts, cluster)} cast the same votes on the same data points: they count as one "
        "labeling function together. Remove all but one."
        for cluster in clusters(copies)
    ]
    findings = estimates.findings.with_warnings(*repeated)
    return replace(estimates, pairs=pairs, copies=copies, findings=findings)


def identified_parts(counts: VoteCounts, pairs: Mask) -> tuple[list[list[int]], Findings]:
    """The components whose accuracies are determined up to a sign, and why the LFs of others are not."""
    parts = components(pairs)
    identified = [part for part in parts if is_identified(pairs, part)]
    alone = [part[0] for part in parts if len(part) == 1]
    silent = [i for i in alone if counts.num_votes[i] == 0]
    findings = Findings().with_undetermined(silent, "never vote. Check their conditions, or leave them out.")
    findings = findings.with_undetermined(
        [i for i in alone if i not in silent],
        "share no data point with another labeling function in a way that says how accurate they are. "
        "Add labeling functions that vote on the same data points and can vote for more than one class.",
    )
    chains = [part for part in parts if len(part) > 1 and part not in identified]
    return identified, findings.with_undetermined(
        sum(chains, []),
        "overlap only in pairs or chains, so that only products of their q = 2p - 1 are known. Add a "
        "labeling function that votes on the same data points as two of them, or leave these out.",
    )


def not_converged(num_steps: int) -> str:
    """The warning of a solver that was stopped."""
    return f"the fit took all of its {num_steps} steps without converging: the accuracies are those of the last step."


def named(counts: VoteCounts, members: Sequence[int]) -> str:
    """The names of some LFs, the first few of many."""
    names = [repr(counts.lf_names[i]) for i in members]
    shown = ", ".join(names[:NUM_NAMES_SHOWN])
    return f"{shown} and {len(names) - NUM_NAMES_SHOWN} more" if len(names) > NUM_NAMES_SHOWN else shown


def cluster_names(counts: VoteCounts, pairs: Mask) -> list[list[str]]:
    """The names of the LFs in each cluster of these pairs, for the diagnostics."""
    return [[counts.lf_names[i] for i in cluster] for cluster in clusters(pairs)]


def _fitted(counts: VoteCounts, pairs: Mask, assumptions: Assumptions | None) -> Estimates:
    """The estimates of the LFs in identified components, with q = 0 elsewhere; no pair is taken for copies."""
    identified, findings = identified_parts(counts, pairs)
    q, nothing = np.zeros(counts.num_lfs), np.zeros_like(pairs)
    if not identified:
        return Estimates(q, np.full(counts.num_lfs, np.inf), pairs, nothing, None, findings)
    members = np.array(sorted(sum(identified, [])))
    block = np.ix_(members, members)
    Z, _ = agreement_matrix(counts)
    completion = complete_rank_one(Z[block], np.where(pairs, counts.overlaps, 0)[block].astype(np.float64))
    if completion.status != "converged":
        findings = findings.with_warnings(not_converged(completion.num_steps))
    q[members] = completion.q
    errors, effect = standard_errors(counts, pairs, q)
    for component in identified:
        sign = _sign_by_gold(component, q, assumptions, counts.num_classes) if assumptions else None
        if sign is None:
            sign, doubt = _sign_by_votes(counts, component, q, errors)
            findings = findings.with_undetermined(component, doubt) if doubt else findings
        q[component] *= sign
    return Estimates(q, errors, pairs, nothing, completion, findings, effect)


def _sign_by_gold(component: list[int], q: Vector, assumptions: Assumptions, k: int) -> float | None:
    """1 if gold labels say clearly that q is right, -1 if they say that -q is, else None."""
    votes, correct = assumptions.gold_votes[component], assumptions.gold_correct[component]
    total = float((k * correct - votes) / (k - 1) @ q[component])
    error = float(np.sqrt(votes @ q[component] ** 2 / (k - 1)))  # of LFs that only guess
    return float(np.sign(total)) if abs(total) > MIN_SIGN_SCORE * error else None


def _sign_by_votes(
    counts: VoteCounts, component: list[int], q: Vector, errors: Vector
) -> tuple[float, str | None]:
    """The sign with which the votes are on the whole better than chance, and why it is in doubt, if it is."""
    votes = counts.num_votes[component]
    total, error = float(votes @ q[component]), float(np.linalg.norm(votes * errors[component]))
    sign = -1.0 if total < 0 else 1.0
    if abs(total) >= MIN_SIGN_SCORE * error:
        return sign, None
    return sign, (
        "agree and disagree in a way that fits accuracies above and below 1/2 equally well: their "
        f"votes are on the whole {abs(total) / max(error, np.finfo(float).tiny):.1f} standard errors from chance, "
        f"expected {MIN_SIGN_SCORE:.0f}. Add labeling functions that are clearly better than chance."
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
    agree = np.clip(((k - 1) * np.outer(q, q) + 1) / k, np.finfo(float).tiny, 1.0)
    return np.asarray(candidates & (counts.overlaps * np.log(agree) < np.log(MAX_DUPLICATE_CHANCE)))
