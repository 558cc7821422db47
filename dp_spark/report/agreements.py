"""Who votes with whom, and which agreements the fitted label model does not explain.

Under the label model two LFs that both vote agree with probability ((k - 1) q_i q_j + 1) / k, with
q = (k p - 1) / (k - 1); of a model with P(vote | class) it is Σ_c P(y = c) Σ_a P(λ_i = a | c) P(λ_j = a | c), given
that both vote. A pair that agrees far more often looks at the same thing; one that agrees far less often contradicts
what the model makes of either.
"""

from collections.abc import Sequence
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from dp_spark.counting.agreement import Mask, components, informative_pairs
from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.label_model.model import LabelModel, Vector
from dp_spark.report.vote_facts import Agreement, Pair

MAX_LFS = 24  # whose overlaps are shown
MAX_PAIRS = 300  # that are kept, of those that the label model explains worst
FALSE_ALARM_RATE = 0.05  # to call any pair unexplained where the model holds (Bonferroni over all pairs)
TYPICAL_SCORE = 0.6745  # the median |score| where the model holds


def agreement_of(counts: VoteCounts, model: LabelModel | None) -> Agreement:
    """Overlaps, agreements, and how far the label model explains them.

    Args:
        counts: of the label matrix.
        model: fitted on them, or None before.
    """
    shown = np.sort(np.argsort(-counts.num_votes, kind="stable")[:MAX_LFS])
    beside = counts.overlaps > 0
    np.fill_diagonal(beside, False)
    votes = counts.num_votes > 0
    among_shown = np.zeros_like(beside)
    among_shown[np.ix_(shown, shown)] = True
    groups = [group for group in components(beside) if len(group) > 1]
    dependent = _dependent_lfs(model)
    checked, expected, scores = _residuals(counts, model)
    upper = np.triu(checked, 1)
    worst = _positions(upper, -np.abs(scores))[:MAX_PAIRS]
    threshold = _threshold(scores[upper])
    pairs = [(_pair(counts, *at), float(expected[at]), float(scores[at])) for at in worst]
    return Agreement(
        lfs=tuple(counts.lf_names[i] for i in shown),
        overlaps=tuple(_pair(counts, i, j) for i, j in _positions(np.triu(beside & among_shown, 1))),
        num_groups=len(groups),
        num_alone=int((votes & ~beside.any(axis=1)).sum()),
        unexplained=tuple(_judged(*pair, threshold, dependent) for pair in pairs),
        num_checked=int(upper.sum()),
        num_beyond_chance=int((np.abs(scores[upper]) > threshold).sum()),
        misfit=float((scores[upper] ** 2).mean()) if upper.any() else None,
        dependent_lfs=dependent,
    )


def expected_agreement(counts: VoteCounts, model: LabelModel) -> Vector:
    """P(agree | both vote) as the label model has it: (m, m).

    Args:
        counts: of the label matrix.
        model: fitted on them.
    """
    k = model.num_classes
    if model.log_likelihoods is None:
        q = (k * model.accuracies - 1) / (k - 1)
        return np.asarray(((k - 1) * np.outer(q, q) + 1) / k)
    rates = _vote_rates(counts, model)
    weighted = rates * model.class_balance
    flat = (len(rates), -1)
    agree = weighted.reshape(flat) @ rates.reshape(flat).T
    both = (rates.sum(axis=1) * model.class_balance) @ rates.sum(axis=1).T
    return np.asarray(agree / np.maximum(both, np.finfo(float).tiny))


def _vote_rates(counts: VoteCounts, model: LabelModel) -> Vector:
    """P(λ_i = a | y = c): (m, k, k), scaled so that each LF casts each vote as often as it was counted."""
    logs = np.asarray(model.log_likelihoods)
    likelihoods = np.exp(logs - logs.max(axis=2, keepdims=True))
    shares = counts.votes_per_class / max(counts.num_data_points, 1)
    return np.asarray(likelihoods * (shares / (likelihoods @ model.class_balance))[:, :, None])


def _residuals(counts: VoteCounts, model: LabelModel | None) -> tuple[Mask, Vector, Vector]:
    """The pairs that the model says something about, the agreement it expects, and scores: three (m, m)."""
    if model is None:
        nothing = np.zeros(counts.overlaps.shape)
        return nothing > 0, nothing, nothing
    unknown = np.isin(counts.lf_names, _names(model, "fallback_lfs"))
    checked = informative_pairs(counts) & ~unknown[:, None] & ~unknown[None, :]
    least = 1 / (counts.overlaps + 2)
    expected = np.clip(expected_agreement(counts, model), least, 1 - least)
    effect = float(str(model.diagnostics.get("design_effect", 1.0)))
    num = np.maximum(counts.overlaps, 1)
    errors = np.sqrt(expected * (1 - expected) / num * effect)
    return checked, expected, np.where(checked, (counts.agreements / num - expected) / errors, 0.0)


def _threshold(scores: Vector) -> float:
    """The |score| above which a pair stands out from chance, and from how the pairs scatter."""
    if not len(scores):
        return np.inf
    scale = max(1.0, float(np.median(np.abs(scores))) / TYPICAL_SCORE)
    return scale * NormalDist().inv_cdf(1 - FALSE_ALARM_RATE / (2 * len(scores)))


def _positions(pairs: Mask, order: Vector | None = None) -> list[tuple[int, int]]:
    """The positions of pairs, those with the least `order` first."""
    rows, columns = np.nonzero(pairs)
    ranks: npt.NDArray[np.intp] = (
        np.arange(len(rows)) if order is None else np.argsort(order[rows, columns], kind="stable")
    )
    return [(int(rows[at]), int(columns[at])) for at in ranks]


def _pair(counts: VoteCounts, i: int, j: int) -> Pair:
    num = int(counts.overlaps[i, j])
    return Pair(counts.lf_names[i], counts.lf_names[j], num, int(counts.agreements[i, j]) / num)


def _judged(
    pair: Pair, expected: float, score: float, threshold: float, dependent: Sequence[Sequence[str]]
) -> Pair:
    return replace(
        pair,
        expected=expected,
        score=score,
        is_dependent=any({pair.first, pair.second} <= set(group) for group in dependent),
        is_unexplained=bool(abs(score) > threshold),
    )


def _dependent_lfs(model: LabelModel | None) -> tuple[tuple[str, ...], ...]:
    groups = model.diagnostics.get("dependent_lfs", ()) if model else ()
    return tuple(tuple(map(str, group)) for group in groups) if isinstance(groups, (list, tuple)) else ()


def _names(model: LabelModel, diagnostic: str) -> list[str]:
    found = model.diagnostics.get(diagnostic, ())
    return [str(name) for name in found] if isinstance(found, (list, tuple)) else []
