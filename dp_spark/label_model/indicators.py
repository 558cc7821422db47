"""Moments of vote indicators x_ia = 1 if LF i votes a, for two classes, and how far each data point moves them."""

from dataclasses import dataclass

import numpy as np

from dp_spark.counting.agreement import Mask
from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.label_model.completion import Completion, complete_rank_one
from dp_spark.label_model.model import Vector
from dp_spark.label_model.scatter import regularised_inverse
from dp_spark.labeling.votes import Votes, classes_of


@dataclass(frozen=True)
class Indicators:
    """Moments of the 2m indicators of m LFs, LF by LF.

    Attributes:
        means: (2m,) of x.
        deviations: (2m,) standard deviations of x; 0 of votes that are never, or always, cast.
        correlations: (2m, 2m); 0 where not known.
        pairs: (2m, 2m) bool: indicators of different LFs that vary.
    """

    means: Vector
    deviations: Vector
    correlations: Vector
    pairs: Mask

    @classmethod
    def of(cls, counts: VoteCounts) -> "Indicators":
        """The moments in these counts of two classes."""
        n, size = counts.num_data_points, 2 * counts.num_lfs
        means = counts.votes_per_class.reshape(-1) / n
        deviations = np.sqrt(means * (1 - means))
        scales = np.outer(deviations, deviations)
        covariances = counts.joint.reshape(size, size) / n - np.outer(means, means)
        correlations = np.divide(covariances, scales, out=np.zeros_like(scales), where=scales > 0)
        is_same_lf = np.kron(np.eye(counts.num_lfs), np.ones((2, 2))) > 0
        return cls(means, deviations, correlations, (scales > 0) & ~is_same_lf)

    def standardised(self, votes: Votes) -> Vector:
        """(x - mean) / deviation of (rows, m) vote vectors: (rows, 2m); 0 where x does not vary."""
        x = np.stack([votes == c for c in classes_of(2)], axis=2).reshape(len(votes), -1)
        varies = self.deviations > 0
        return np.asarray(varies * (x - self.means) / np.where(varies, self.deviations, 1.0))

    def completed(self, num_data_points: int) -> tuple[Vector, Completion | None]:
        """V with correlations ≈ v vᵀ for pairs of different LFs: (2m,); how the solver ended, None without pairs."""
        if not self.pairs.any():
            return np.zeros(len(self.means)), None
        weights = np.where(self.pairs, float(num_data_points), 0.0)
        completion = complete_rank_one(self.correlations, weights)
        signs = np.tile([-1.0, 1.0], len(self.means) // 2)  # on the whole, votes are for the class they name
        v = completion.q * (self.deviations > 0)
        return (v if signs @ (v * self.deviations) >= 0 else -v), completion

    def influence(self, v: Vector) -> "Influence":
        """How far each data point moves v and the deviations, times n."""
        information = self.pairs * np.outer(v, v)
        np.fill_diagonal(information, self.pairs @ v**2)
        inverse = regularised_inverse(information)
        return Influence(self, v, np.asarray(inverse * (np.diag(information) > 0)))


@dataclass(frozen=True)
class Influence:
    """First-order effects of a data point, times n (influence functions; Hampel 1974)."""

    moments: Indicators
    v: Vector
    inverse: Vector

    def of_v(self, z: Vector) -> Vector:
        """On v, of standardised indicators z (rows, 2m): (rows, 2m).

        A correlation R_uw moves by z_u z_w - R_uw (z_u² + z_w²) / 2, and the estimating equations
        Σ_w (R_uw - v_u v_w) v_w = 0 then move v.
        """
        pairs, squares = self.moments.pairs, z**2
        by_v = pairs * self.moments.correlations * self.v
        fitted = z * ((z * self.v) @ pairs) - (squares * by_v.sum(axis=1) + squares @ by_v.T) / 2
        return np.asarray(fitted @ self.inverse.T)

    def of_deviations(self, z: Vector) -> Vector:
        """On the deviations: (rows, 2m)."""
        return np.asarray(self.moments.deviations * (z**2 - 1) / 2)
