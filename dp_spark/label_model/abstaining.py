"""Whether an LF that abstains says something about the class, decided by evidence.

If LFs are independent given the class, whether they vote at all (*firing*) included, then every abstention is evidence
like a vote is: of a detector that finds most cases of a class, silence speaks for the others. But firing mostly depends
on much besides the class: long texts trigger many LFs, workers label in batches. Then silence of one is silence of
all, counted m times. So it counts only where firing bears the independence out: LFs vote together as often as their
firing rates per class say. And only of LFs whose firing rates differ between classes by more than chance.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from dp_spark.counting.vote_counts import VoteCounts
from dp_spark.label_model.independence import independence
from dp_spark.label_model.model import Vector

FALSE_ALARM_RATE = 0.05  # to find misfit where there is none, or any LF's silence to be a sign where none is


@dataclass(frozen=True)
class Firing:
    """How often each LF votes, whatever it votes, on the data points of each class.

    Attributes:
        rates: (m, k) float64 in (0, 1).
        errors: (m, k) float64: standard errors of `rates` less the rate over all classes; infinite if not known.
    """

    rates: Vector
    errors: Vector


@dataclass(frozen=True)
class Silence:
    """What abstentions say.

    Attributes:
        log_likelihoods: (m, k) float64: log P(LF i abstains | y = c), up to a constant per LF; 0 of LFs whose silence
            says nothing; None if that holds for all.
        misfit: χ² / degrees of freedom of how often pairs vote together; about 1 where firing is independent given
            the class; None if too few pairs are expected to.
        why: one sentence.
    """

    log_likelihoods: Vector | None
    misfit: float | None
    why: str

    @property
    def diagnostics(self) -> dict[str, object]:
        """What was found, as JSON has it."""
        is_used = self.log_likelihoods is not None
        return {"abstaining": {"informs": is_used, "why": self.why, "firing_misfit": self.misfit}}


def silence(counts: VoteCounts, balance: Vector, firing: Firing) -> Silence:
    """What abstentions say, if the evidence is that they say something.

    Args:
        counts: of the label matrix.
        balance: (k,) P(y = c).
        firing: of the fitted model.
    """
    between_lfs = ~np.eye(counts.num_lfs, dtype=np.bool_)
    fit = independence(counts.overlaps, counts.num_data_points, firing.rates, balance, between_lfs)
    if not fit.degrees:
        return Silence(
            None, None, "too few labeling functions vote together to check that they fire independently"
        )
    if fit.is_rejected:
        why = "labeling functions vote together more, or less, often than independent ones would"
        return Silence(None, fit.misfit, why)
    deviations = np.abs(firing.rates - (firing.rates @ balance)[:, None])
    threshold = NormalDist().inv_cdf(1 - FALSE_ALARM_RATE / (2 * firing.rates.size))
    is_sign = np.any(deviations > threshold * firing.errors, axis=1)
    if not is_sign.any():
        return Silence(None, fit.misfit, "no labeling function fires more often on one class than on another")
    logs = np.where(is_sign[:, None], np.log1p(-firing.rates), 0.0)
    num_signs = int(is_sign.sum())
    why = f"firing is independent given the class, and differs between classes for {num_signs} labeling functions"
    return Silence(logs, fit.misfit, why)
