"""Whether LFs are independent given the class, as most label models take them to be: pairs against expectation."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from dp_spark.counting.agreement import Mask
from dp_spark.counting.vote_counts import Counts
from dp_spark.label_model.model import Vector

FALSE_ALARM_RATE = 0.05  # to find misfit where there is none
LEAST_EXPECTED = 1.0  # data points that a pair is expected on; fewer say little


@dataclass(frozen=True)
class Fit:
    """How far events that are independent given the class explain how often two of them come together.

    Attributes:
        chi_squared: Σ over pairs of (observed - expected)² / variance.
        of_chance: the same if the events were independent of the class, too.
        degrees: how many pairs are expected often enough to be looked at.
        share_checked: of the pairs that could come together.
    """

    chi_squared: float
    of_chance: float
    degrees: int
    share_checked: float

    @property
    def misfit(self) -> float | None:
        """χ² / degrees of freedom: about 1 where the model holds; None without pairs."""
        return self.chi_squared / self.degrees if self.degrees else None

    @property
    def is_rejected(self) -> bool:
        """Whether chance hardly leaves so much unexplained."""
        return self.chi_squared > chi_squared_quantile(1 - FALSE_ALARM_RATE, self.degrees)

    @property
    def share_explained(self) -> float:
        """Of the association beyond chance, what the class explains for sure: 0 or less where nothing is sure."""
        association = self.of_chance - self.degrees
        unexplained = (
            self.chi_squared + chi_squared_quantile(1 - FALSE_ALARM_RATE, self.degrees) - 2 * self.degrees
        )
        return 1 - unexplained / association if association > 0 else 0.0


def chi_squared_quantile(share: float, degrees: int) -> float:
    """The value that this share of χ² with so many degrees of freedom is below (Wilson and Hilferty 1931)."""
    if degrees == 0:
        return 0.0
    part = 2 / (9 * degrees)
    return float(degrees * (1 - part + NormalDist().inv_cdf(share) * np.sqrt(part)) ** 3)


def independence(observed: Counts, num_data_points: int, rates: Vector, balance: Vector, pairs: Mask) -> Fit:
    """How far pairs of events come together as often as events do that are independent given the class.

    Args:
        observed: (s, s) on how many data points two events come together.
        num_data_points: n.
        rates: (s, k) P(event | y = c).
        balance: (k,) P(y = c).
        pairs: (s, s) bool, symmetric: which to look at.
    """
    overall = rates @ balance
    of_chance = num_data_points * np.outer(overall, overall)
    expected = num_data_points * (rates * balance) @ rates.T

    def chi_squared(expected: Vector) -> Vector:
        # The margins are fitted, so that a count scatters as a hypergeometric one.
        variances = expected * np.outer(1 - overall, 1 - overall)
        return np.asarray((observed - expected)[used] ** 2 / variances[used])

    used = np.triu(pairs & (np.minimum(expected, of_chance) >= LEAST_EXPECTED) & (overall < 1), 1)
    used &= (overall < 1)[:, None]
    degrees, num_pairs = int(used.sum()), int(pairs.sum()) // 2
    of_model, of_none = (float(chi_squared(e).sum()) for e in (expected, of_chance))
    return Fit(of_model, of_none, degrees, degrees / max(num_pairs, 1))
