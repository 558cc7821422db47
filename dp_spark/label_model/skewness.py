"""The class balance from third moments: E[z_u z_v z_w] = γ v_u v_v v_w, with γ = (1 - 2π) / √(π (1 - π))."""

from dataclasses import dataclass

import numpy as np

from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.label_model.assumptions import Assumptions, balance_diagnostics
from dp_spark.label_model.indicators import Influence
from dp_spark.label_model.model import Vector
from dp_spark.label_model.scatter import Scores, scatter
from dp_spark.labeling.votes import Votes

MAX_SKEWNESS_ERROR = 0.5  # of γ: beyond it, π = 1/3 and 1/2 can hardly be told apart


@dataclass(frozen=True)
class ClassBalance:
    """P(y) for two classes.

    Attributes:
        probabilities: (2,).
        source: "given", "gold", "estimated" or "uniform".
        errors: (2,) standard errors; infinite where nothing is known.
        influence: how far each data point moves P(y = +1), times n: (rows, 1); None if it is not estimated.
    """

    probabilities: Vector
    source: str
    errors: Vector
    influence: Scores | None = None

    @property
    def diagnostics(self) -> dict[str, object]:
        """Where it comes from, and its intervals."""
        return balance_diagnostics(self.source, self.probabilities, self.errors)


def balance_of(counts: VoteCounts, assumptions: Assumptions, fitted: Influence) -> ClassBalance:
    """The class balance that is given, or known from gold labels, or else where the votes identify it.

    Args:
        counts: of the label matrix, two classes.
        assumptions: what is given.
        fitted: v, and how far data points move it.
    """
    uniform = ClassBalance(assumptions.class_balance, assumptions.balance_source, assumptions.balance_errors)
    size = (fitted.v.reshape(-1, 2) ** 2).sum(axis=1)  # V
    expected = float(_triples(size[None])[0])
    # Whole patterns are kept or lost in a sample: a mean over them is not one over data points.
    is_sampled = counts.patterns.log2_rate > 0
    if assumptions.balance_source != "uniform" or expected <= 0 or is_sampled:
        return uniform
    times, n = counts.patterns.counts, counts.num_data_points
    skewness = (
        float(times @ _of_triples(fitted, fitted.moments.standardised(counts.patterns.votes)))
        / float(times.sum())
        / expected
    )
    influence = _influence(fitted, size, expected, skewness)
    error = float(np.sqrt(scatter(counts, influence, 1)[0][0, 0])) / n
    if not error <= MAX_SKEWNESS_ERROR:
        return uniform
    least = 1 / (n + 2)
    positive = float(np.clip((1 - skewness / np.sqrt(4 + skewness**2)) / 2, least, 1 - least))
    slope = -2 / (4 + skewness**2) ** 1.5  # dπ / dγ
    return ClassBalance(
        np.array([1 - positive, positive]),
        "estimated",
        np.full(2, -slope * error),
        lambda votes: slope * influence(votes),
    )


def _of_triples(fitted: Influence, z: Vector) -> Vector:
    """Σ over triples of different LFs of g_i g_j g_l: (rows,), with g_i = Σ_a v_ia z_ia, of z (rows, 2m).

    E[g_i g_j g_l] = γ V_i V_j V_l with V_i = Σ_a v_ia².
    """
    return _triples((z * fitted.v).reshape(len(z), -1, 2).sum(axis=2))


def _influence(fitted: Influence, size: Vector, expected: float, skewness: float) -> Scores:
    """How far each data point moves γ, times n: itself, and through v and the moments that z is standardised by.

    Args:
        fitted: v, and how far data points move it.
        size: (m,) V.
        expected: Σ over triples of V_i V_j V_l.
        skewness: γ.
    """
    others = ((size.sum() - size) ** 2 - ((size**2).sum() - size**2)) / 2  # Σ V_j V_l over pairs without i
    by_indicator = np.repeat(others, 2)

    def influence(votes: Votes) -> Vector:
        z = fitted.moments.standardised(votes)
        through_means = (z * fitted.v) @ by_indicator
        through_deviations = (fitted.v**2 * (z**2 - (fitted.v != 0)) / 2) @ by_indicator
        through_v = (fitted.of_v(z) * fitted.v) @ by_indicator
        own = _of_triples(fitted, z) - skewness * expected
        moved = own - through_means - skewness * (through_deviations + through_v)
        return np.asarray(moved / expected)[:, None]

    return influence


def _triples(g: Vector) -> Vector:
    """Σ_{i<j<l} g_i g_j g_l of each row: an elementary symmetric polynomial, from power sums (Newton's identities)."""
    first, second, third = ((g**power).sum(axis=1) for power in (1, 2, 3))
    return np.asarray((first**3 - 3 * first * second + 2 * third) / 6)
