"""P(vote | class) for two classes, whatever the LFs' polarity: rank-one completion of covariances of indicators.

With x_ia = 1 if LF i votes a, and LFs independent given the class, Cov(x_ia, x_jb) = π (1 - π) D_ia D_jb for i ≠ j,
where D_ia = P(i votes a | +) - P(i votes a | -). So the correlations of different LFs' indicators are v vᵀ with
v_ia = √(π (1 - π)) D_ia / sd(x_ia), also where every LF votes for one class only (Ratner et al., AAAI 2019, in the
form for two classes). Third moments give the class balance: E[z_u z_v z_w] = γ v_u v_v v_w for standardised
indicators of three LFs, with γ = (1 - 2π) / √(π (1 - π)). Abstaining itself is not taken as a sign of a class.
"""

import numpy as np

from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.label_model.accuracies import MIN_SIGN_SCORE, not_converged
from dp_spark.label_model.assumptions import Assumptions, balance_diagnostics
from dp_spark.label_model.completion import Completion, complete_rank_one
from dp_spark.label_model.model import LabelModel, Vector
from dp_spark.label_model.one_coin import below_chance
from dp_spark.labeling.votes import classes_of

MAX_SKEWNESS_ERROR = 0.5  # of γ: beyond it, π = 1/3 and 1/2 can hardly be told apart
MIN_LFS = 3  # of fewer, only products of their v are known
NOTHING_VARIES = (
    "fewer than two labeling functions vote on some data points and not on others: nothing tells the classes apart, "
    "and the label is the class balance everywhere. Use model='auto'."
)


def class_conditional(counts: VoteCounts, assumptions: Assumptions) -> LabelModel:
    """The label model of the completed covariances. Of k > 2 classes second moments are not enough.

    Args:
        counts: of the label matrix.
        assumptions: the class balance; if it is not given, it is estimated where the votes identify it.

    Raises:
        ValueError: if there are more than two classes, or fewer than three LFs vote.
    """
    if counts.num_classes != 2:
        raise ValueError(
            f"there are {counts.num_classes} classes: model='class_conditional' is for two. Use 'auto', or "
            "'dawid_skene' where LFs vote for every class."
        )
    if int((counts.num_votes > 0).sum()) < MIN_LFS:
        raise ValueError(
            f"{int((counts.num_votes > 0).sum())} labeling functions vote: model='class_conditional' needs at least "
            f"{MIN_LFS}. Use 'auto'."
        )
    n = counts.num_data_points
    means = counts.votes_per_class.reshape(-1) / n  # of x_ia, LF by LF: (2m,)
    deviations = np.sqrt(means * (1 - means))
    v, completion = _completed(counts, means, deviations)
    if assumptions.gold_votes.any() and _is_mirrored(v, deviations, assumptions):
        v = -v
    balance, source, balance_errors = _balance(counts, assumptions, v, means, deviations)
    spread = float(np.sqrt(balance[0] * balance[1]))
    differences = v * deviations / spread
    given_positive, given_negative = means + balance[0] * differences, means - balance[1] * differences
    rates = np.stack([given_negative, given_positive], axis=1)
    # Not closer to impossible and certain than the data points of the rarer class can show.
    least = 1 / (n * float(balance.min()) + 2)
    clipped = np.clip(rates, least, 1 - least)
    by_vote = clipped.reshape(counts.num_lfs, 2, 2)  # [lf, vote, class]
    right = np.einsum("icc,c->i", by_vote, balance)
    accuracies = right / (by_vote @ balance).sum(axis=1)
    logs = np.log(by_vote)
    ratios = np.stack([logs[:, 0, 0] - logs[:, 0, 1], logs[:, 1, 1] - logs[:, 1, 0]], axis=1)  # by vote
    return LabelModel(
        model="class_conditional",
        lf_names=counts.lf_names,
        lf_hashes=counts.lf_hashes,
        num_classes=2,
        accuracies=accuracies,
        weights=(ratios * counts.votes_per_class).sum(axis=1) / np.maximum(counts.num_votes, 1),
        class_balance=balance,
        log_likelihoods=logs,
        diagnostics={
            "status": "not identified" if completion is None else completion.status,
            "num_steps": 0 if completion is None else completion.num_steps,
            "num_data_points": n,
            **balance_diagnostics(source, balance, balance_errors),
            "num_clipped": int((rates != clipped).sum()),
            **below_chance(accuracies, counts),
            "warnings": _warnings(completion),
        },
    )


def _warnings(completion: Completion | None) -> list[str]:
    if completion is None:
        return [NOTHING_VARIES]
    return [] if completion.status == "converged" else [not_converged(completion.num_steps)]


def _completed(counts: VoteCounts, means: Vector, deviations: Vector) -> tuple[Vector, Completion | None]:
    """V with the correlations of different LFs' indicators ≈ v vᵀ, and how the solver ended."""
    n, size = counts.num_data_points, 2 * counts.num_lfs
    covariances = counts.joint.reshape(size, size) / n - np.outer(means, means)
    scales = np.outer(deviations, deviations)
    varies = scales > 0
    correlations = np.where(varies, covariances / np.where(varies, scales, 1.0), 0.0)
    same_lf = np.kron(np.eye(counts.num_lfs), np.ones((2, 2))) > 0
    pairs = varies & ~same_lf
    if not pairs.any():
        return np.zeros(size), None
    completion = complete_rank_one(correlations, np.where(pairs, float(n), 0.0))
    signs = np.tile([-1.0, 1.0], counts.num_lfs)  # on the whole, votes are for the class they name
    v = completion.q * np.where(deviations > 0, 1.0, 0.0)
    return (v if signs @ (v * deviations) >= 0 else -v), completion


def _is_mirrored(v: Vector, deviations: Vector, assumptions: Assumptions) -> bool:
    """Whether gold labels say that LFs which vote for a class speak against it."""
    speaks_for = (v * deviations).reshape(-1, 2) @ [-1.0, 1.0]
    surplus = 2 * assumptions.gold_correct - assumptions.gold_votes
    error = float(np.sqrt(assumptions.gold_votes.sum()))  # of LFs that only guess
    return float(surplus @ np.sign(speaks_for)) < -MIN_SIGN_SCORE * error


def _balance(
    counts: VoteCounts, assumptions: Assumptions, v: Vector, means: Vector, deviations: Vector
) -> tuple[Vector, str, Vector]:
    """P(y), where it comes from, and its standard errors."""
    if assumptions.balance_source != "uniform":
        return assumptions.class_balance, assumptions.balance_source, assumptions.balance_errors
    skewness, error = _skewness(counts, v, means, deviations)
    if np.isnan(skewness) or error > MAX_SKEWNESS_ERROR:
        return assumptions.class_balance, "uniform", assumptions.balance_errors
    positive = (1 - skewness / np.sqrt(4 + skewness**2)) / 2
    least = 1 / (counts.num_data_points + 2)
    positive = float(np.clip(positive, least, 1 - least))
    slope = 2 / (4 + skewness**2) ** 1.5  # |dπ / dγ|
    return np.array([1 - positive, positive]), "estimated", np.full(2, slope * error)


def _skewness(counts: VoteCounts, v: Vector, means: Vector, deviations: Vector) -> tuple[float, float]:
    """γ from all triples of different LFs at once, and its standard error; NaN if there is no such triple.

    With g_i = Σ_a v_ia z_ia, E[g_i g_j g_l] = γ V_i V_j V_l, V_i = Σ_a v_ia². Sums over triples are elementary
    symmetric polynomials, which power sums give (Newton's identities).
    """
    scaled = np.where(deviations > 0, v / np.where(deviations > 0, deviations, 1.0), 0.0)
    by_class = scaled.reshape(-1, 2)
    constant = (scaled * means).reshape(-1, 2).sum(axis=1)
    votes, times = counts.patterns.votes, counts.patterns.counts.astype(np.float64)
    g = sum((votes == c) * by_class[:, position] for position, c in enumerate(classes_of(2))) - constant
    expected = float(_triples((v**2).reshape(-1, 2).sum(axis=1)[None])[0])
    if expected <= 0:
        return float("nan"), float("nan")
    values = _triples(np.asarray(g)) / expected
    mean = float(times @ values / times.sum())
    variance = float(times @ (values - mean) ** 2 / times.sum())
    return mean, float(np.sqrt(variance / times.sum()))


def _triples(g: Vector) -> Vector:
    """Σ_{i<j<l} g_i g_j g_l of each row."""
    first, second, third = (np.asarray(g**power).sum(axis=1) for power in (1, 2, 3))
    return np.asarray((first**3 - 3 * first * second + 2 * third) / 6)
