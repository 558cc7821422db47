"""P(vote | class) for two classes, whatever the LFs' polarity: rank-one completion of covariances of indicators.

With x_ia = 1 if LF i votes a, and LFs independent given the class, Cov(x_ia, x_jb) = π (1 - π) D_ia D_jb for i ≠ j,
where D_ia = P(i votes a | +) - P(i votes a | -). So the correlations of different LFs' indicators are v vᵀ with
v_ia = √(π (1 - π)) D_ia / sd(x_ia), also where every LF votes for one class only (Ratner et al., AAAI 2019, in the
form for two classes). Third moments give the class balance (`skewness`). Whether abstaining is taken as a sign of a
class is decided by evidence (`abstaining`).
"""

from collections.abc import Callable

import numpy as np

from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.label_model.abstaining import Firing, silence
from dp_spark.label_model.accuracies import MIN_SIGN_SCORE, not_converged
from dp_spark.label_model.assumptions import Assumptions
from dp_spark.label_model.completion import Completion
from dp_spark.label_model.independence import Fit, independence
from dp_spark.label_model.indicators import Indicators, Influence
from dp_spark.label_model.intervals import intervals_of
from dp_spark.label_model.model import LabelModel, Vector
from dp_spark.label_model.names import refuse_few_lfs, refuse_other_classes
from dp_spark.label_model.one_coin import below_chance
from dp_spark.label_model.scatter import scatter
from dp_spark.label_model.skewness import ClassBalance, balance_of
from dp_spark.labeling.votes import Votes

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
    return fit_checked(counts, assumptions)[0]


def fit_checked(counts: VoteCounts, assumptions: Assumptions) -> tuple[LabelModel, Fit]:
    """The model of `class_conditional`, and how far independence given the class explains the votes."""
    _refuse_impossible(counts)
    moments = Indicators.of(counts)
    v, completion = moments.completed(counts.num_data_points)
    if assumptions.gold_votes.any() and _is_mirrored(v, moments.deviations, assumptions):
        v = -v
    influence = moments.influence(v)
    balance = balance_of(counts, assumptions, influence)
    rates = _rates(moments, v, balance.probabilities)
    # Not closer to impossible and certain than the data points of each class can show.
    least = 1 / (counts.num_data_points * balance.probabilities + 2)
    was_cast = (counts.votes_per_class > 0)[:, :, None]  # a vote that never was says nothing of the class
    by_vote = np.where(was_cast, np.clip(rates, least, 1 - least), least.min())
    accuracies = _accuracies(by_vote, balance.probabilities)
    errors, firing = _errors(counts, influence, balance, by_vote, accuracies)
    silent, logs = silence(counts, balance.probabilities, firing), np.log(by_vote)
    joint, by_indicator = counts.joint.reshape(2 * counts.num_lfs, -1), by_vote.reshape(-1, 2)
    fit = independence(joint, counts.num_data_points, by_indicator, balance.probabilities, moments.pairs)
    model = LabelModel(
        model="class_conditional",
        lf_names=counts.lf_names,
        lf_hashes=counts.lf_hashes,
        num_classes=2,
        accuracies=accuracies,
        weights=_mean_weights(logs, counts),
        class_balance=balance.probabilities,
        intervals=intervals_of(accuracies, errors),
        log_likelihoods=logs,
        abstain_log_likelihoods=silent.log_likelihoods,
        diagnostics={
            "status": "not identified" if completion is None else completion.status,
            "num_steps": 0 if completion is None else completion.num_steps,
            "path": {} if completion is None else {"loss": list(map(list, completion.losses))},
            "num_data_points": counts.num_data_points,
            **balance.diagnostics,
            "share_explained": fit.share_explained,
            "share_checked": fit.share_checked,
            "misfit": fit.misfit,
            "independence_rejected": fit.is_rejected,
            **silent.diagnostics,
            "num_clipped": int((rates != by_vote).sum()),
            **below_chance(accuracies, counts),
            "warnings": _warnings(completion),
        },
    )
    return model, fit


def _refuse_impossible(counts: VoteCounts) -> None:
    refuse_other_classes("class_conditional", counts.num_classes)
    refuse_few_lfs("class_conditional", int((counts.num_votes > 0).sum()))


def _rates(moments: Indicators, v: Vector, balance: Vector) -> Vector:
    """P(i votes a | y = c): (m, 2, 2), [i, a, c]."""
    differences = v * moments.deviations / np.sqrt(balance[0] * balance[1])
    given_negative, given_positive = (
        moments.means - balance[1] * differences,
        moments.means + balance[0] * differences,
    )
    return np.stack([given_negative, given_positive], axis=1).reshape(-1, 2, 2)


def _mean_weights(logs: Vector, counts: VoteCounts) -> Vector:
    """What a vote adds to the log-odds of its class, on average over the LF's votes: (m,)."""
    by_vote = np.stack([logs[:, 0, 0] - logs[:, 0, 1], logs[:, 1, 1] - logs[:, 1, 0]], axis=1)
    return np.asarray((by_vote * counts.votes_per_class).sum(axis=1) / np.maximum(counts.num_votes, 1))


def _accuracies(rates: Vector, balance: Vector) -> Vector:
    """P(vote = y given that the LF votes): (m,)."""
    return np.asarray(np.einsum("icc,c->i", rates, balance) / (rates @ balance).sum(axis=1))


def _errors(
    counts: VoteCounts, influence: Influence, balance: ClassBalance, rates: Vector, accuracies: Vector
) -> tuple[Vector, Firing]:
    """Standard errors of the accuracies, infinite where nothing is known; how often LFs fire, with errors."""
    m, n = counts.num_lfs, counts.num_data_points
    scores = _scores(counts, influence, balance, accuracies)
    variances = np.diag(scatter(counts, scores, 2 * m)[0]) / n**2
    is_known = (influence.v.reshape(m, 2) != 0).any(axis=1)
    errors = np.where(is_known, np.sqrt(variances[:m]), np.inf)
    of_firing = np.where(is_known, np.sqrt(variances[m:]), np.inf)
    least = 1 / (n + 2)
    firing = np.clip(rates.sum(axis=1), least, 1 - least)
    return errors, Firing(firing, of_firing[:, None] * balance.probabilities[::-1])


def _scores(
    counts: VoteCounts, influence: Influence, balance: ClassBalance, accuracies: Vector
) -> Callable[[Votes], Vector]:
    """How far data points move the accuracies, and P(fire | +) - P(fire | -), times n: (rows, 2m).

    With s² = π (1 - π) and d = v sd(x) / s, an LF is right on π E[x_+] + (1 - π) E[x_-] + s² (d_+ - d_-) of all data
    points, and fires on d_+ + d_- more of the positive ones.
    """
    m, moments, v = counts.num_lfs, influence.moments, influence.v
    (negative, positive), coverage = (
        balance.probabilities,
        np.maximum(counts.num_votes, 1) / counts.num_data_points,
    )
    spread = np.sqrt(negative * positive)
    by_spread = (positive - negative) / (2 * spread)  # -ds / dπ
    scaled = (v * moments.deviations).reshape(m, 2)
    by_balance = np.concatenate(
        [
            (moments.means.reshape(m, 2) - by_spread * scaled) @ [-1.0, 1.0] / coverage,
            scaled.sum(axis=1) * by_spread / spread**2,
        ]
    )

    def scores(votes: Votes) -> Vector:
        z = moments.standardised(votes)
        moved = (influence.of_v(z) * moments.deviations + v * influence.of_deviations(z)).reshape(-1, m, 2)
        of_means = (z * moments.deviations).reshape(-1, m, 2)
        right = of_means @ balance.probabilities + spread * moved @ [-1.0, 1.0]
        of_accuracies = (right - accuracies * of_means.sum(axis=2)) / coverage
        found = np.concatenate([of_accuracies, moved.sum(axis=2) / spread], axis=1)
        return found if balance.influence is None else found + balance.influence(votes) * by_balance

    return scores


def _warnings(completion: Completion | None) -> list[str]:
    if completion is None:
        return [NOTHING_VARIES]
    return [] if completion.status == "converged" else [not_converged(completion.num_steps)]


def _is_mirrored(v: Vector, deviations: Vector, assumptions: Assumptions) -> bool:
    """Whether gold labels say that LFs which vote for a class speak against it."""
    speaks_for = (v * deviations).reshape(-1, 2) @ [-1.0, 1.0]
    surplus = 2 * assumptions.gold_correct - assumptions.gold_votes
    error = float(np.sqrt(assumptions.gold_votes.sum()))  # of LFs that only guess
    return float(surplus @ np.sign(speaks_for)) < -MIN_SIGN_SCORE * error
