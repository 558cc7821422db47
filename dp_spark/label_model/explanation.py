"""Why a data point has its label: log-odds as the class balance's and one term per LF, which add up."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Explanation:
    """What the class balance and each LF add to the score of each class; probabilities are its softmax.

    Attributes:
        lf_names: m names.
        classes: k votes that stand for the classes, in the order of the columns.
        votes: (m,) int8: what the LFs vote.
        prior: (k,) float64: log P(y = c).
        terms: (m, k) float64: what the LF's vote adds; where it abstains, what its silence adds, mostly 0.
    """

    lf_names: tuple[str, ...]
    classes: tuple[int, ...]
    votes: npt.NDArray[np.int8]
    prior: npt.NDArray[np.float64]
    terms: npt.NDArray[np.float64]

    @property
    def scores(self) -> npt.NDArray[np.float64]:
        """The prior and all terms, added up: (k,)."""
        columns = np.vstack([self.prior, self.terms]).T
        return np.array([math.fsum(column) for column in columns])

    @property
    def probabilities(self) -> npt.NDArray[np.float64]:
        """P(y = c | λ) as of `predict_proba`: (k,)."""
        odds = np.exp(self.scores - self.scores.max())
        return np.asarray(odds / odds.sum())

    def log_odds(self, of: int, against: int) -> "LogOdds":
        """The log-odds between two classes, part by part.

        Args:
            of: a class.
            against: another.

        Raises:
            ValueError: if a class is not one of `classes`.
        """
        unknown = {of, against} - set(self.classes)
        if unknown:
            raise ValueError(f"{sorted(unknown)} are no classes here: expected two of {list(self.classes)}.")
        first, second = self.classes.index(of), self.classes.index(against)
        by_lf = {
            self.lf_names[i]: float(self.terms[i, first] - self.terms[i, second])
            for i in np.flatnonzero((self.votes != 0) | self.terms.any(axis=1))
        }
        return LogOdds(float(self.prior[first] - self.prior[second]), by_lf)

    def __str__(self) -> str:
        """The two likeliest classes and what speaks for the first of them."""
        likeliest, second = (self.classes[i] for i in np.argsort(-self.scores, kind="stable")[:2])
        probability = self.probabilities[self.classes.index(likeliest)]
        odds = self.log_odds(likeliest, second)
        lines = [f"{likeliest:+d} with probability {probability:.4f}; log-odds against {second:+d}:"]
        parts = [("class balance", odds.class_balance), *odds.by_lf.items(), ("total", odds.total)]
        return "\n".join([*lines, *(f"{value:+9.4f}  {name}" for name, value in parts)])


@dataclass(frozen=True)
class LogOdds:
    """The log-odds between two classes as a sum.

    Attributes:
        class_balance: what holds without any vote.
        by_lf: what each LF adds that votes, or whose silence is a sign.
    """

    class_balance: float
    by_lf: dict[str, float]

    @property
    def total(self) -> float:
        """The correctly rounded sum of all parts (`math.fsum`)."""
        return math.fsum([self.class_balance, *self.by_lf.values()])
