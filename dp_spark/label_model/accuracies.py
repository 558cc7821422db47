"""How accurate each LF is, from agreements alone: q fitted to Z ≈ q qᵀ, with standard errors.  (Tutorial, step 2.)

The fit is weighted by how often a pair overlaps (docs/method.md has the measurement). Where the votes do not
determine an accuracy, the LF is named, with the reason:

- it votes together with too few others: its component of the overlap graph has no odd cycle;
- its component's sign is not clear. q and -q explain the agreements equally well; the sign is chosen so that
  the votes of a component are on the whole better than chance, Σ_i N_i q_i > 0 with N_i the number of
  votes of LF i, and that sum must be MIN_SIGN_SCORE standard errors away from 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

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


@dataclass
class Findings:
    """What a fit found, in the words of the diagnostics.

    Attributes:
        warnings: one sentence each.
        undetermined: why the accuracy of an LF is not known from the votes, by its position.
    """

    warnings: list[str] = field(default_factory=list)
    undetermined: dict[int, str] = field(default_factory=dict)

    def note(self, members: Sequence[int], why: str) -> None:
        """These LFs are not determined, for this reason."""
        self.undetermined.update(dict.fromkeys(members, why))


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
    findings = Findings()
    informative, candidates = informative_pairs(counts), _duplicate_candidates(counts)
    if dependent is not None:
        informative, candidates = informative & ~dependent, candidates & ~dependent
    q, errors, effect, completion = _fit(counts, informative & ~candidates, findings, assumptions)
    copies = _duplicates(counts, candidates, q)
    pairs = informative & ~copies
    if (candidates & ~copies).any():  # equal by chance, as two good LFs can be: they are evidence after all
        findings = Findings()
        q, errors, effect, completion = _fit(counts, pairs, findings, assumptions)
    findings.warnings.extend(
        f"{named(counts, cluster)} cast the same votes on the same data points: they count as one "
        "labeling function together. Remove all but one."
        for cluster in clusters(copies)
    )
    return Estimates(q, errors, pairs, copies, completion, findings, effect)


def identified_parts(counts: VoteCounts, pairs: Mask, findings: Findings) -> list[list[int]]:
    """The components whose accuracies are determined up to a sign; the LFs of the others are noted."""
    parts = components(pairs)
    identified = [part for part in parts if is_identified(pairs, part)]
    alone = [part[0] for part in parts if len(part) == 1]
    silent = [i for i in alone if counts.num_votes[i] == 0]
    findings.note(silent, "never vote. Check their conditions, or leave them out.")
    findings.note(
        [i for i in alone if i not in silent],
        "share no data point with another labeling function in a way that says how accurate they are. "
        "Add labeling functions that vote on the same data points and can vote for more than one class.",
    )
    for part in parts:
        if len(part) > 1 and part not in identified:
            findings.note(
                part,
                "overlap only in pairs or chains, so that only products of their q = 2p - 1 are known. Add a "
                "labeling function that votes on the same data points as two of them, or leave these out.",
            )
    return identified


def not_converged(num_steps: int) -> str:
    """The warning of a solver that was stopped."""
    return f"the fit took all of its {num_steps} steps without converging: the accuracies are those of the last step."


def named(counts: VoteCounts, members: Sequence[int]) -> str:
    """The names of some LFs, the first few of many."""
    names = [repr(counts.lf_names[i]) for i in members]
    shown = ", ".join(names[:NUM_NAMES_SHOWN])
    return f"{shown} and {len(names) - NUM_NAMES_SHOWN} more" if len(names) > NUM_NAMES_SHOWN else shown


def _fit(
    counts: VoteCounts, pairs: Mask, findings: Findings, assumptions: Assumptions | None
) -> tuple[Vector, Vector, float, Completion | None]:
    """The q of the LFs in identified components, 0 elsewhere; its errors and design effect; how the solver ended."""
    identified = identified_parts(counts, pairs, findings)
    q = np.zeros(counts.num_lfs)
    if not identified:
        return q, np.full(counts.num_lfs, np.inf), 1.0, None
    members = np.array(sorted(sum(identified, [])))
    block = np.ix_(members, members)
    Z, _ = agreement_matrix(counts)
    completion = complete_rank_one(Z[block], np.where(pairs, counts.overlaps, 0)[block].astype(np.float64))
    if completion.status != "converged":
        findings.warnings.append(not_converged(completion.num_steps))
    q[members] = completion.q
    (errors, effect), k = standard_errors(counts, pairs, q), counts.num_classes
    for component in identified:
        by_gold = assumptions is not None and _choose_sign_by_gold(component, q, assumptions, k)
        if not by_gold:
            _choose_sign(counts, component, q, errors, findings)
    return q, errors, effect, completion


def _choose_sign_by_gold(component: list[int], q: Vector, assumptions: Assumptions, k: int) -> bool:
    """Whether gold labels say clearly which sign is right; q has it then."""
    votes, correct = assumptions.gold_votes[component], assumptions.gold_correct[component]
    total = float((k * correct - votes) / (k - 1) @ q[component])
    error = float(np.sqrt(votes @ q[component] ** 2 / (k - 1)))  # of LFs that only guess
    if abs(total) <= MIN_SIGN_SCORE * error:
        return False
    q[component] *= np.sign(total)
    return True


def _choose_sign(
    counts: VoteCounts, component: list[int], q: Vector, errors: Vector, findings: Findings
) -> None:
    votes = counts.num_votes[component]
    total = float(votes @ q[component])
    if total < 0:
        q[component] = -q[component]
    error = float(np.linalg.norm(votes * errors[component]))
    if abs(total) < MIN_SIGN_SCORE * error:
        findings.note(
            component,
            "agree and disagree in a way that fits accuracies above and below 1/2 equally well: their "
            f"votes are on the whole {abs(total) / max(error, np.finfo(float).tiny):.1f} standard errors from chance, "
            f"expected {MIN_SIGN_SCORE:.0f}. Add labeling functions that are clearly better than chance.",
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
